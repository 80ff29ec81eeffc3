"""The ``hyctas`` command runs its own packages wherever it is started, and the wheel holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOREIGN = ("api", "db", "predictor", "profiler", "search")
OURS = ("api", "db", "hyctas", "predictor", "profiler", "search")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with packages of our names that say so when they are imported."""
    for name in FOREIGN:
        package = tmp_path / name
        package.mkdir()
        for module in ("__init__", "cli"):
            (package / f"{module}.py").write_text(f"raise RuntimeError('foreign {name} was imported')\n")
    return tmp_path


@pytest.fixture(params=["script", "module"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """The two ways to start the command."""
    script = Path(sys.executable).with_name("hyctas")
    return [str(script)] if request.param == "script" else [sys.executable, "-m", "hyctas"]


def started_among_foreign_packages(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_foreign_packages_are_what_python_would_import(foreign: Path) -> None:
    done = started_among_foreign_packages([sys.executable, "-c", "import db"], foreign)
    assert "foreign db was imported" in done.stderr


@pytest.mark.parametrize("arguments", [["targets"], ["profile"], ["measurements"], ["train"], ["predict"], ["serve"]])
def test_command_imports_its_own_packages(foreign: Path, command: list[str], arguments: list[str]) -> None:
    done = started_among_foreign_packages([*command, *arguments, "--help"], foreign)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: hyctas" in done.stdout


def test_targets_probes_with_its_own_packages(foreign: Path, command: list[str]) -> None:
    done = started_among_foreign_packages([*command, "targets", "--json"], foreign)
    assert done.returncode == 0, done.stderr
    assert "foreign" not in done.stdout + done.stderr
    assert "onnxruntime-fp32-t1" in done.stdout


@pytest.mark.slow
def test_wheel_holds_the_packages_and_nothing_else(root: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    source = copied_source(root, tmp_path / "source")
    subprocess.run([*build, str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hyctas-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(OURS)
    tracked = {str(file.relative_to(source)) for package in OURS for file in (source / package).rglob("*.*")}
    assert tracked <= set(names)


def copied_source(root: Path, target: Path) -> Path:
    """What git tracks, copied, so that a build leaves nothing in the checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((root / name).read_bytes())
    return target
