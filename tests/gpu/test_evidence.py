"""The evidence file of ``make test-gpu``: what is in it, and that tests which did not run prove nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu.evidence import Evidence, Figure, TestResult, commit_of, installed
from tests.gpu.presence import missing_in
from tests.gpu.recording import EVIDENCE_VARIABLE

GPU_TESTS = Path(__file__).parent
STANDINS = GPU_TESTS.parent / "standins"
PASSING = """
import numpy as np
import pytest
pytestmark = pytest.mark.gpu

def test_fast(evidence):
    evidence.record("latency", 0.00123456789, "ms")
    evidence.record("kernel", "wino | grad")
    evidence.record("layers", np.int32(7))
    evidence.record("share", np.float32(0.5))
"""
SKIPPED = """
def test_other_binding():
    pytest.skip("pycuda is not installed")
"""
FAILING = """
def test_wrong(evidence):
    evidence.record("error", 3)
    assert 1 == 2

def test_not_finite(evidence):
    evidence.record("latency", float("nan"), "ms")

def test_not_a_number(evidence):
    evidence.record("latencies", [1.0])

@pytest.fixture
def broken():
    raise RuntimeError("no such card")

def test_unready(broken):
    pass
"""


def run_tests(
    folder: Path, source: str, root: Path, *, with_gpu: bool = True
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run tests under the real conftest, on a machine with a simulated GPU or with none."""
    folder.mkdir()
    shutil.copy(GPU_TESTS / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: needs a GPU\n")
    (folder / "test_card.py").write_text(source)
    standins = [STANDINS / "nvml", STANDINS, STANDINS / "shared"] if with_gpu else []
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(map(str, [*standins, root])),
        "CUDA_VISIBLE_DEVICES": "0" if with_gpu else "",
        EVIDENCE_VARIABLE: str(folder / "gpu-evidence"),
    }
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "--rootdir", str(root)]
    done = subprocess.run(
        [*command, "-c", str(folder / "pytest.ini"), str(folder)],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
    )
    return done, folder / "gpu-evidence.json"


@pytest.mark.slow
def test_evidence_says_what_ran_on_what(tmp_path: Path, root: Path) -> None:
    done, path = run_tests(tmp_path / "run", PASSING + SKIPPED, root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "evidence (passed)" in done.stdout
    found = json.loads(path.read_text())
    assert (found["schema"], found["verdict"]) == (1, "passed")
    assert found["counts"] == {"passed": 1, "failed": 0, "skipped": 1}
    assert found["device"]["gpu"] == "NVIDIA GeForce RTX 4090"
    assert found["device"]["gpu driver"]
    assert {"numpy", "onnx", "onnxruntime"} <= set(found["packages"])
    assert found["commit"].removesuffix("-dirty") == commit_of(root).removesuffix("-dirty")
    fast, other = found["tests"]
    assert fast["figures"][0] == {"name": "latency", "value": 0.00123456789, "unit": "ms"}
    assert [figure["value"] for figure in fast["figures"][2:]] == [7, 0.5]
    assert (other["outcome"], other["reason"]) == ("skipped", "pycuda is not installed")
    text = path.with_suffix(".md").read_text()
    assert "| latency | 0.00123457 | ms |" in text
    assert "wino \\| grad" in text
    assert "pycuda is not installed" in text


@pytest.mark.slow
def test_failures_are_evidence_too(tmp_path: Path, root: Path) -> None:
    done, path = run_tests(tmp_path / "run", PASSING + FAILING, root)
    assert done.returncode == 1
    found = json.loads(path.read_text())
    assert found["verdict"] == "failed"
    assert found["counts"] == {"passed": 1, "failed": 4, "skipped": 0}
    reasons = {test["test"].rpartition("::")[2]: test["reason"] for test in found["tests"]}
    assert reasons["test_wrong"] == "assert 1 == 2"
    assert "latency is nan" in reasons["test_not_finite"]
    assert "numbers and text only" in reasons["test_not_a_number"]
    assert "no such card" in reasons["test_unready"]
    wrong = next(test for test in found["tests"] if test["test"].endswith("test_wrong"))
    assert wrong["figures"] == [{"name": "error", "value": 3, "unit": ""}]


@pytest.mark.slow
def test_file_that_does_not_import_is_a_failure(tmp_path: Path, root: Path) -> None:
    done, path = run_tests(tmp_path / "run", "import no_such_module_at_all\n", root)
    assert done.returncode != 0
    found = json.loads(path.read_text())
    assert found["verdict"] == "failed"
    assert "no_such_module_at_all" in found["tests"][0]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "with_gpu", "reason"),
    [
        (PASSING, False, "no GPU here"),
        (
            PASSING.replace("evidence.record", "pytest.skip('tensorrt is missing')\n    evidence.record", 1),
            True,
            "missing",
        ),
        ("def test_elsewhere():\n    pass\n", True, "no test is marked gpu"),
    ],
    ids=["no GPU", "all skipped", "none marked"],
)
def test_nothing_tested_is_no_success(tmp_path: Path, root: Path, source: str, with_gpu: bool, reason: str) -> None:
    done, path = run_tests(tmp_path / "run", source, root, with_gpu=with_gpu)
    assert done.returncode == 1
    assert "no GPU test ran, no evidence was written" in done.stdout
    assert reason in done.stdout
    assert not path.exists()


def test_machine_without_a_gpu_is_told_what_is_missing(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.presence"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "needs an NVIDIA GPU" in done.stderr
    assert "docs/gpu.md" in done.stderr
    assert missing_in({"CUDA_VISIBLE_DEVICES": ""})


def test_gpu_tests_stand_where_make_looks_for_them(root: Path) -> None:
    marked = re.compile(r"pytest\.mark\.gpu\b")
    elsewhere = [
        str(path.relative_to(root))
        for path in (root / "tests").rglob("test_*.py")
        if path.parent != GPU_TESTS and marked.search(path.read_text())
    ]
    assert elsewhere == []


def evidence_of(*outcomes: str) -> Evidence:
    tests = tuple(TestResult(f"tests/gpu/test_x.py::test_{n}", o, 0.1) for n, o in enumerate(outcomes))  # type: ignore[arg-type]
    return Evidence("abc", "2030-01-01T00:00:00+00:00", 1.0, {}, {}, {}, tests)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((), "nothing tested"),
        (("skipped",), "nothing tested"),
        (("passed", "skipped"), "passed"),
        (("passed", "failed"), "failed"),
    ],
)
def test_verdict(outcomes: tuple[str, ...], verdict: str) -> None:
    assert evidence_of(*outcomes).verdict == verdict


def test_document_is_strict_json(tmp_path: Path) -> None:
    bad = Evidence("abc", "now", float("nan"), {}, {}, {}, (TestResult("t", "passed", 0.0, "", (Figure("a", 1.0),)),))
    with pytest.raises(ValueError, match="JSON"):
        bad.write(tmp_path / "evidence")


def test_commit_and_packages_may_be_unknown(tmp_path: Path) -> None:
    assert commit_of(tmp_path / "nowhere") == "unknown"
    assert installed(("numpy", "no-such-package-at-all")).keys() == {"numpy"}
