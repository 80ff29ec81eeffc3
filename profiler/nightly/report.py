"""What a night found, as a value and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from profiler.nightly.judging import Verdict

NightState = Literal["quiet", "regression", "failure", "waiting"]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was measured besides canaries.

    Attributes:
        wanted: How many workloads were missing, stale or unstable, by that reason.
        measured: Newly measured with a stable result, by the same reasons.
        unstable: Measured without settling; the next night tries them again.
        failed: Newly failed.
        remaining: Not reached.
    """

    wanted: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, int] = field(default_factory=dict)
    unstable: int = 0
    failed: int = 0
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of training the predictor again.

    Attributes:
        model_id: The new model, or empty where none was trained.
        registered: Whether it is the newest model now.
        reason: Why it was or was not.
    """

    model_id: str
    registered: bool
    reason: str


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target of a night.

    Attributes:
        target: Full name.
        verdicts: On every series.
        looked_again: Names of series that were suspect after the first look.
        nights: Earlier nights that tonight was compared with.
        processes: Processes that measured tonight, in the first and in the second look.
        changed: Versions that are not those of the night before: name, before, now.
        broken: Canaries that have a history and failed in every process tonight, with the failure.
        filled: What else was measured.
        trained: What came of training, or None where there was nothing to do.
        notes: What was left out, and why.
        error: Why nothing could be measured, or empty.
    """

    target: str
    verdicts: tuple[Verdict, ...] = ()
    looked_again: tuple[str, ...] = ()
    nights: int = 0
    processes: tuple[int, int] = (0, 0)
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    filled: Filled = field(default_factory=Filled)
    trained: Trained | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def slower(self) -> tuple[Verdict, ...]:
        """What is slower than before."""
        return tuple(verdict for verdict in self.verdicts if verdict.state == "slower")


@dataclass(frozen=True, slots=True)
class NightReport:
    """What a night found.

    Attributes:
        night: Its label, such as the date.
        began_at: When this call began, in ISO 8601.
        took_s: How long it took.
        false_alarms: Probability that a quiet night calls anything slower.
        targets: What was found, by target.
        waiting: Jobs that workers have not finished yet; 0 without a queue.
        errors: What else went wrong: retention, for example.
        retention: What was forgotten.
        version: Of hyctas.
    """

    night: str
    began_at: str
    took_s: float
    false_alarms: float
    targets: tuple[TargetReport, ...]
    waiting: int = 0
    errors: tuple[str, ...] = ()
    retention: Mapping[str, int] = field(default_factory=dict)
    version: str = ""

    @property
    def state(self) -> NightState:
        """A night is judged when all of it is there; then a regression outweighs a failure, since it was found."""
        if self.waiting:
            return "waiting"
        if any(target.slower or target.broken for target in self.targets):
            return "regression"
        if self.errors or any(target.error for target in self.targets):
            return "failure"
        return "quiet"


def report_json(report: NightReport) -> dict[str, Any]:
    """A report as it is printed, posted and stored."""
    return {
        "night": report.night,
        "state": report.state,
        "began_at": report.began_at,
        "took_s": report.took_s,
        "version": report.version,
        "false_alarms": report.false_alarms,
        "waiting": report.waiting,
        "errors": list(report.errors),
        "retention": dict(report.retention),
        "targets": [_target_json(target) for target in report.targets],
    }


def _target_json(report: TargetReport) -> dict[str, Any]:
    return {
        "target": report.target,
        "error": report.error,
        "nights": report.nights,
        "processes": {"first_look": report.processes[0], "second_look": report.processes[1]},
        "changed": {name: {"before": before, "now": now} for name, (before, now) in report.changed.items()},
        "slower": [verdict.series.name for verdict in report.slower],
        "broken": dict(report.broken),
        "verdicts": [_verdict_json(verdict, report.looked_again) for verdict in report.verdicts],
        "filled": asdict(report.filled),
        "trained": None if report.trained is None else asdict(report.trained),
        "notes": list(report.notes),
    }


def _verdict_json(verdict: Verdict, looked_again: Sequence[str]) -> dict[str, Any]:
    series = verdict.series
    return {
        "name": series.name,
        "sort": series.sort,
        "state": verdict.state,
        "change": verdict.change,
        "detectable": verdict.smallest,
        "p_value": verdict.p_value,
        "adjusted": verdict.adjusted,
        "looked_again": series.name in looked_again,
        "history": [_significant(median(night)) for night in series.history],
        "tonight": [_significant(value) for value in series.tonight],
    }


def _significant(value: float) -> float:
    """A logarithm to a millionth, which is finer than any clock."""
    return round(value, 6) if math.isfinite(value) else 0.0
