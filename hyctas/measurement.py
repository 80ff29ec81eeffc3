"""Measurements: raw samples with everything needed to judge and repeat them.

Wall time drifts by more than half between identical processes on shared machines, so every group of
samples stands beside samples of two *reference workloads* of fixed code, one compute-bound and one
memory-bound. A latency is the median over rounds of (sample median / reference median) times the
reference latency that the target's :class:`Calibration` fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from hyctas.target import Target

Metric = Literal["host_time", "host_time_with_copies", "compute_time"]
Normaliser = Literal["none", "compute", "memory", "mean"]
NORMALISERS: Final[tuple[Normaliser, ...]] = ("none", "compute", "memory", "mean")
FailureKind = Literal["unsupported", "build", "timeout", "crash", "out_of_memory", "not_finite"]
Status = Literal["ok", "unstable", "failed"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a measurement was taken; two measurements compare only under equal versions.

    Attributes:
        version: Raised whenever the meaning of a latency changes.
        min_rounds: Rounds before the stopping rule may end a measurement.
        max_rounds: Rounds after which it ends in any case.
        samples_per_round: Timed runs of one workload in one round.
        relative_half_width: The stopping rule: half-width of the interval of the median over its value.
        min_cpu_share: CPU time over wall time under which a round of a one-thread target is rejected.
        budget_s: Seconds of a workload's own runs after which no further round begins.
    """

    version: int = 1
    min_rounds: int = 5
    max_rounds: int = 30
    samples_per_round: int = 5
    relative_half_width: float = 0.01
    min_cpu_share: float = 0.95
    budget_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """One group of samples and the reference samples beside it; all in seconds.

    Attributes:
        samples_s: Timed runs of the workload, the first run after the switch left out.
        compute_reference_s: Samples of the compute-bound reference.
        memory_reference_s: Samples of the memory-bound reference.
        cpu_share: CPU time over wall time while the samples ran, or while the references beside them ran if less.
        clock_hz: The core's clock, where it can be read.
    """

    samples_s: tuple[float, ...]
    compute_reference_s: tuple[float, ...]
    memory_reference_s: tuple[float, ...]
    cpu_share: float
    clock_hz: float | None = None

    def reference_s(self, normaliser: Normaliser) -> float:
        """Median reference time of this round under `normaliser`; 1.0 for ``"none"``."""
        if normaliser == "none":
            return 1.0
        if normaliser == "compute":
            return median(self.compute_reference_s)
        if normaliser == "memory":
            return median(self.memory_reference_s)
        return math.sqrt(median(self.compute_reference_s) * median(self.memory_reference_s))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a workload has no latency: data, not an exception."""

    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """The reference latencies of a target: medians over several processes; a row, never overwritten.

    Attributes:
        target: The target they hold for.
        version: 1, 2, ...; a new calibration gets the next number.
        compute_reference_s: Latency of the compute-bound reference.
        memory_reference_s: Latency of the memory-bound reference.
        normaliser: The reference that lowered the error between processes most, or ``"none"``.
        process_error: Relative error between processes under each normaliser: the evidence.
        reference_id: Names the reference code and its version; a change needs a new calibration.
        processes: How many processes were measured.
    """

    target: Target
    version: int
    compute_reference_s: float
    memory_reference_s: float
    normaliser: Normaliser
    process_error: Mapping[Normaliser, float]
    reference_id: str
    processes: int

    @property
    def reference_s(self) -> float:
        """The reference latency under this calibration's normaliser; 1.0 for ``"none"``."""
        return self.reference_under(self.normaliser)

    def reference_under(self, normaliser: Normaliser) -> float:
        """The reference latency under any normaliser."""
        return Round((), (self.compute_reference_s,), (self.memory_reference_s,), 1.0).reference_s(normaliser)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One workload measured once on one target.

    Attributes:
        workload_key: Key of what ran; see :mod:`hyctas.workload`.
        target: Where it ran.
        rounds: Raw samples; empty if it failed before any.
        call_floor_s: Time of an empty call of the runtime, kept beside every result.
        protocol: How it was measured.
        environment: Versions, host, load: what the name of the target does not say.
        metric: What the samples are times of.
        process_id: Names the process that measured; between-process noise compares different ones.
        failure: Why there is no latency, or None.
    """

    workload_key: str
    target: Target
    rounds: tuple[Round, ...]
    call_floor_s: float
    protocol: Protocol
    environment: Mapping[str, str] = field(hash=False)
    metric: Metric = "host_time"
    process_id: str = ""
    failure: Failure | None = None

    @property
    def cpu_share(self) -> float:
        """Smallest CPU share of the rounds; 0.0 where there are none."""
        return min((round_.cpu_share for round_ in self.rounds), default=0.0)

    @property
    def wall_s(self) -> float | None:
        """Median wall time over the rounds, not normalised."""
        return median(median(r.samples_s) for r in self.rounds) if self.rounds else None

    @property
    def undisturbed(self) -> tuple[Round, ...]:
        """The rounds that count: on one thread, those that had the CPU to themselves."""
        return undisturbed(self.rounds, self.protocol, threads=self.target.threads)

    def ratios(self, normaliser: Normaliser) -> tuple[float, ...]:
        """Sample median over reference median, one for each undisturbed round (for each round if there is none)."""
        return ratios(self.undisturbed or self.rounds, normaliser)

    def latency_s(self, calibration: Calibration) -> float | None:
        """Latency in seconds under `calibration`; None if the measurement failed."""
        if self.failure is not None or not self.rounds:
            return None
        return median(self.ratios(calibration.normaliser)) * calibration.reference_s

    def half_width(self, normaliser: Normaliser) -> float:
        """Relative half-width of the 95 % interval of the median; infinite under three undisturbed rounds."""
        return relative_half_width(ratios(self.undisturbed, normaliser))

    def status(self, normaliser: Normaliser) -> Status:
        """``failed``, ``unstable`` (too wide, or too often without the CPU), or ``ok``."""
        if self.failure is not None or not self.rounds:
            return "failed"
        return "ok" if self.half_width(normaliser) <= self.protocol.relative_half_width else "unstable"


def ratios(rounds: Iterable[Round], normaliser: Normaliser) -> tuple[float, ...]:
    """Sample median over reference median, one a round."""
    return tuple(median(r.samples_s) / r.reference_s(normaliser) for r in rounds)


def undisturbed(rounds: Iterable[Round], protocol: Protocol, *, threads: int | None) -> tuple[Round, ...]:
    """The rounds without those in which a one-thread target had to share its CPU; all on other targets."""
    return tuple(r for r in rounds if threads != 1 or r.cpu_share >= protocol.min_cpu_share)


def relative_half_width(ratios: tuple[float, ...]) -> float:
    """Half-width of the 95 % interval of a median, over the median.

    Normal approximation through the median absolute deviation: 1.96 * 1.2533 * 1.4826 * MAD / sqrt(n);
    1.2533 = sqrt(pi / 2) is the asymptotic standard error of a median over that of a mean, 1.4826 turns
    a MAD into a standard deviation.
    """
    if len(ratios) < 3:
        return math.inf
    centre = median(ratios)
    deviation = median(abs(ratio - centre) for ratio in ratios)
    return 1.96 * 1.2533 * 1.4826 * deviation / math.sqrt(len(ratios)) / centre
