"""What a run of the GPU tests proved: a JSON document, and the same for readers."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from profiler.nvml import GpuMonitor

SCHEMA: Final = 1
PACKAGES: Final = (
    "hyctas",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "cuda-python",
    "cuda-bindings",
    "pycuda",
    "nvidia-ml-py",
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
    "triton",
    "onnx",
    "numpy",
)
"""Packages whose version can change a result."""

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a test measured."""

    name: str
    value: float | int | str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test ended; `reason` says why it was skipped or what failed."""

    __test__ = False
    test: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A whole run.

    Attributes:
        commit: Which code; ``-dirty`` follows if files differ from it.
        started: In UTC.
        device: What NVML says about the GPU, its driver and their settings.
        host: Operating system, processor and Python.
        packages: Versions of what is installed.
        tests: Every test that was collected, in order.
    """

    commit: str
    started: str
    wall_s: float
    device: Mapping[str, str]
    host: Mapping[str, str]
    packages: Mapping[str, str]
    tests: Sequence[TestResult] = field(default=())

    @property
    def counts(self) -> Mapping[str, int]:
        """How many passed, failed and were skipped."""
        found = Counter(test.outcome for test in self.tests)
        return {outcome: found[outcome] for outcome in ("passed", "failed", "skipped")}

    @property
    def verdict(self) -> str:
        """``passed`` only if something was tested, and nothing failed."""
        if self.counts["failed"]:
            return "failed"
        return "passed" if self.counts["passed"] else "nothing tested"

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {"schema": SCHEMA, "verdict": self.verdict, "counts": self.counts, **asdict(self)}

    def text(self) -> str:
        """As Markdown."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        yield f"# GPU tests: {self.verdict}"
        yield ""
        yield f"{counts}; commit {self.commit}, {self.started}, {self.wall_s:.0f} s"
        for title, facts in (("Device", self.device), ("Host", self.host), ("Packages", self.packages)):
            yield from ("", f"## {title}", "", "| what | value |", "|---|---|")
            yield from (f"| {name} | {_cell(value)} |" for name, value in facts.items())
        figures = [(test, figure) for test in self.tests for figure in test.figures]
        if figures:
            yield from ("", "## Figures", "", "| figure | value | unit | test |", "|---|---:|---|---|")
            for test, figure in figures:
                yield f"| {_cell(figure.name)} | {_number(figure.value)} | {figure.unit} | {_short(test.test)} |"
        yield from ("", "## Tests", "", "| test | outcome | seconds | why |", "|---|---|---:|---|")
        for test in self.tests:
            yield f"| {_short(test.test)} | {test.outcome} | {test.seconds:.1f} | {_cell(test.reason)} |"

    def write(self, stem: Path) -> tuple[Path, Path]:
        """Write ``<stem>.json`` and ``<stem>.md``."""
        paths = stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.md")
        paths[0].write_text(json.dumps(self.document(), indent=1, allow_nan=False) + "\n")
        paths[1].write_text(self.text())
        return paths


def gather(tests: Sequence[TestResult], *, started: str, wall_s: float, root: Path) -> Evidence:
    """The evidence of `tests` that ran on this machine, with the code in `root`."""
    return Evidence(
        commit=commit_of(root),
        started=started,
        wall_s=round(wall_s, 3),
        device=GpuMonitor(os.environ).environment(),
        host={
            "system": platform.system(),
            "kernel": platform.release(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        packages=installed(),
        tests=tests,
    )


def installed(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit_of(root: Path) -> str:
    """The commit of a checkout; ``unknown`` where there is none."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("-dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _number(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _cell(str(value))


def _short(test: str) -> str:
    return _cell(test.removeprefix("tests/gpu/"))
