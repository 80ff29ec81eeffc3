"""What a run measured, how well, and where its time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from hyctas.measurement import Calibration, Measurement, Normaliser
from profiler.calibration import SLOW_MACHINE
from profiler.session import Timing

_SECONDS_AN_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """What a run measured, and how well.

    Attributes:
        planned: Workloads of the plan.
        already_measured: Those that other runs measured, before or meanwhile.
        measured: Newly measured with a stable result.
        unstable: Newly measured, flagged: kept, left out of training, measured again by the next run.
        unstable_because: What made them unstable, by reason: throttled, without the CPU, or too wide an interval.
        failed: Newly failed, by kind and message.
        without_marginal: Operators whose chain failed, by kind and message: they have no marginal cost.
        remaining: Not reached within the budget or before an interruption.
        noise_between: Noise floor between processes over all of the plan's repeats, or None without any.
        noise_within: Noise floor within one process, of this run.
        repeats: Workloads behind `noise_between`.
        timing: Where the wall time of blocks went.
        wall_s: Wall time of the whole run, processes' start included.
        per_hour: Stable measurements an hour at this rate.
        reference_drift: Absolute reference latency of this run over the calibrated one, minus one.
        interrupted: Whether it was stopped from outside.
    """

    planned: int
    already_measured: int
    measured: int
    unstable: int
    unstable_because: Mapping[str, int]
    failed: Mapping[str, int]
    without_marginal: Mapping[str, int]
    remaining: int
    noise_between: float | None
    noise_within: float | None
    repeats: int
    timing: Timing
    wall_s: float
    per_hour: float
    reference_drift: float
    interrupted: bool

    @property
    def timed_share(self) -> float:
        """Share of the wall time that went into samples, references and warm-up."""
        return self.timing.timed_s / self.wall_s if self.wall_s else 0.0

    @property
    def prepare_share(self) -> float:
        """Share of the wall time that went into writing models and opening sessions."""
        return self.timing.prepare_s / self.wall_s if self.wall_s else 0.0

    @property
    def machine_changed(self) -> bool:
        """Whether the whole machine runs at another speed than when it was calibrated."""
        return abs(self.reference_drift) > SLOW_MACHINE


def failure_counts(measurements: Iterable[Measurement]) -> Mapping[str, int]:
    """How many measurements failed, by kind and message."""
    return dict(Counter(f"{m.failure.kind}: {m.failure.message}" for m in measurements if m.failure is not None))


def instability_counts(measurements: Iterable[Measurement], normaliser: Normaliser) -> Mapping[str, int]:
    """How many measurements are unstable, by reason."""
    reasons = (measurement.instability(normaliser) for measurement in measurements)
    return dict(Counter(reason for reason in reasons if reason is not None))


def reference_drift(measurements: Iterable[Measurement], calibration: Calibration) -> float:
    """Median absolute reference time over the calibrated one, minus one; 0.0 without any round.

    Taken on the reference that latencies are normalised by, or on the mean of both if that is none.
    """
    normaliser: Normaliser = "mean" if calibration.normaliser == "none" else calibration.normaliser
    measured = [round_.reference_s(normaliser) for m in measurements for round_ in m.rounds]
    return median(measured) / calibration.reference_under(normaliser) - 1.0 if measured else 0.0


def per_hour(measurements: int, wall_s: float) -> float:
    """Rate of measurements."""
    return measurements / wall_s * _SECONDS_AN_HOUR if wall_s else 0.0


def summary_json(summary: ProfileSummary) -> dict[str, Any]:
    """The summary as it is printed and stored."""
    shares = {"timed_share": summary.timed_share, "prepare_share": summary.prepare_share}
    return {**asdict(summary), **shares, "machine_changed": summary.machine_changed}


def summary_text(summary: ProfileSummary, calibration: Calibration, half_width: float) -> str:
    """The summary in words."""
    errors = ", ".join(f"{name} {_percent(error)}" for name, error in calibration.process_error.items())
    lines = [
        f"{summary.measured} measured, {summary.unstable} unstable, {sum(summary.failed.values())} failed, "
        f"{summary.already_measured} were known, {summary.remaining} of {summary.planned} remain",
        *(f"  unstable: {count} x {reason}" for reason, count in summary.unstable_because.items()),
        *(f"  failed: {count} x {reason}" for reason, count in summary.failed.items()),
        *(f"  without marginal cost: {count} x {reason}" for reason, count in summary.without_marginal.items()),
        f"noise floor: {_percent(summary.noise_between)} between processes ({summary.repeats} workloads), "
        f"{_percent(summary.noise_within)} within one",
        f"normalised by: {calibration.normaliser} (errors between processes: {errors})",
        f"{summary.per_hour:,.0f} workloads an hour at {half_width:.0%} half-width; "
        f"{summary.timed_share:.0%} of {summary.wall_s:,.0f} s in timed runs, {summary.prepare_share:.0%} in preparing",
    ]
    if summary.machine_changed:
        lines.append(
            f"warning: the references run {summary.reference_drift:+.0%} off their calibration: this machine changed "
            "as a whole; measure again with --recalibrate if it stays so"
        )
    if summary.interrupted:
        lines.append("interrupted: run the same command again to go on where it stopped")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.2%}"
