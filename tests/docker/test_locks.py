"""The locks: up to date with pyproject.toml, with checksums, and without torch where there shall be none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVIRONMENT = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11", "extra": ""}
EXTRAS: Mapping[str, Sequence[str]] = {
    "api": ["postgres"],
    "profiler-cpu": ["torch", "openvino", "fleet"],
    "profiler-tensorrt": ["fleet"],
    "search": ["search", "fleet"],
}
_ENTRY = re.compile(r"^([a-z0-9.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)


@cache
def locked(lock: Path) -> Mapping[str, str]:
    """Versions by name; only of what has a checksum."""
    return {canonicalize_name(name): version for name, version, _ in _ENTRY.findall(lock.read_text())}


def required(root: Path, extras: Sequence[str]) -> Iterator[Requirement]:
    """Requirements of hyctas with some extras, which may name others of its extras."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    for requirement in map(Requirement, (line for lines in lists for line in lines)):
        if requirement.name == "hyctas":
            yield from required(root, sorted(requirement.extras))
        elif requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            yield requirement


@pytest.mark.parametrize("image", EXTRAS)
def test_lock_holds_what_the_project_requires(image: str, root: Path, docker: Path) -> None:
    versions = locked(docker / f"requirements/{image}.lock")
    for requirement in required(root, EXTRAS[image]):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not locked for {image}: run docker/lock.sh"
        assert requirement.specifier.contains(version), f"{requirement}, but {version} is locked: run docker/lock.sh"


@pytest.mark.parametrize("image", [*EXTRAS, "build"])
def test_everything_locked_has_a_checksum_and_no_place_of_this_machine(image: str, docker: Path) -> None:
    text = (docker / f"requirements/{image}.lock").read_text()
    assert len(locked(docker / f"requirements/{image}.lock")) == len(re.findall("^[a-z0-9]", text, re.MULTILINE))
    assert "://" not in text and "file:" not in text


def test_build_lock_holds_the_build_backend(root: Path, docker: Path) -> None:
    (backend,) = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    requirement = Requirement(backend)
    assert requirement.specifier.contains(locked(docker / "requirements/build.lock")[requirement.name])


@pytest.mark.parametrize("image", ["api", "profiler-tensorrt"])
def test_image_has_no_torch(image: str, docker: Path) -> None:
    assert not {"torch", "triton", "openvino"} & locked(docker / f"requirements/{image}.lock").keys()


def test_images_agree_on_versions(docker: Path) -> None:
    versions = [locked(docker / f"requirements/{image}.lock") for image in EXTRAS]
    for name in set[str]().union(*versions):
        assert len({each[name] for each in versions if name in each}) == 1, f"{name}: run docker/lock.sh"


@pytest.mark.parametrize("image", ["profiler-cpu", "search"])
def test_torch_is_the_build_without_cuda(image: str, root: Path, docker: Path) -> None:
    demo = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]["demo"]
    (pinned,) = (Requirement(line) for line in demo if line.startswith("torch"))
    version = locked(docker / f"requirements/{image}.lock")["torch"]
    assert version.endswith("+cpu") and pinned.specifier.contains(version)
