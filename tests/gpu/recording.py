"""A pytest plugin that collects how GPU tests end, and the figures that they record, into an evidence file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from numbers import Integral, Real
from pathlib import Path
from typing import Final

import pytest

from tests.gpu.evidence import Evidence, Figure, Outcome, TestResult, gather

EVIDENCE_VARIABLE: Final = "HYCTAS_GPU_EVIDENCE"
"""Environment variable that names the files to write, without their endings."""
_PROPERTY: Final = "figure"

Gather = Callable[..., Evidence]


class FigureRecorder:
    """What the fixture ``evidence`` gives to a test."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def record(self, name: str, value: float | int | str, unit: str = "") -> None:
        """Keep a number that this test measured; it appears in the evidence file.

        Raises:
            ValueError: It is not finite.
            TypeError: It is neither a number nor text.
        """
        self._item.user_properties.append((_PROPERTY, (name, _plain(name, value), unit)))


class EvidencePlugin:
    """Writes evidence as the session ends; without any test that passed or failed, the session fails instead.

    Args:
        stem: Path of the files, without their endings.
        root: The checkout.
        gathered: What makes evidence of results.
    """

    def __init__(self, stem: Path, root: Path, gathered: Gather = gather) -> None:
        self._stem = stem
        self._root = root
        self._gather = gathered
        self._results: dict[str, TestResult] = {}
        self._start_s = time.perf_counter()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._message = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Merge set-up, call and tear-down of a test into one result."""
        outcome: Outcome = report.outcome
        known = self._results.get(report.nodeid)
        if known is None:
            known = TestResult(report.nodeid, "passed", 0.0)
        worse = known.outcome == "passed" or outcome == "failed"
        figures = tuple(Figure(*value) for name, value in report.user_properties if name == _PROPERTY)
        self._results[report.nodeid] = replace(
            known,
            outcome=outcome if worse else known.outcome,
            seconds=round(known.seconds + report.duration, 3),
            reason=_reason(report) if worse and outcome != "passed" else known.reason,
            figures=figures or known.figures,
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that does not import is a failure, too."""
        if report.failed:
            self._results[report.nodeid] = TestResult(report.nodeid, "failed", 0.0, _reason(report))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files; all tests skipped, or none collected, is a failure."""
        tests = tuple(self._results.values())
        if all(test.outcome == "skipped" for test in tests):
            reasons = sorted({test.reason for test in tests}) or ["no test is marked gpu"]
            self._message = f"no GPU test ran, no evidence was written: {'; '.join(reasons)}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        evidence = self._gather(
            tests, started=self._started, wall_s=time.perf_counter() - self._start_s, root=self._root
        )
        paths = evidence.write(self._stem)
        self._message = f"evidence ({evidence.verdict}): {' and '.join(str(path) for path in paths)}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written."""
        terminalreporter.section("GPU evidence")
        terminalreporter.line(self._message)


def _plain(name: str, value: object) -> float | int | str:
    """The value in a type of Python's own, which JSON can hold."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}: evidence holds numbers and text only")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}: evidence holds finite numbers only")
    return float(value)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped, or the line of its error."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and crash.message:
        return str(crash.message).splitlines()[0]
    return (report.longreprtext.strip().splitlines() or ["no reason given"])[-1]
