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

from hyctas.target import Metric as Metric
from hyctas.target import Target

Normaliser = Literal["none", "compute", "memory", "mean"]
NORMALISERS: Final[tuple[Normaliser, ...]] = ("none", "compute", "memory", "mean")
FailureKind = Literal["unsupported", "build", "timeout", "crash", "out_of_memory", "not_finite"]
Status = Literal["ok", "unstable", "failed"]
MIN_INTERVAL_ROUNDS: Final = 3
"""Rounds under which the interval of a median is infinite."""


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
        reject_power_cap: Whether rounds in which a GPU ran into its power limit are rejected, like those in which it
            was throttled for another reason: their clock depends on what ran before, so they do not repeat.
    """

    version: int = 1
    min_rounds: int = 5
    max_rounds: int = 30
    samples_per_round: int = 5
    relative_half_width: float = 0.01
    min_cpu_share: float = 0.95
    budget_s: float = 60.0
    reject_power_cap: bool = True


@dataclass(frozen=True, slots=True)
class DeviceConditions:
    """What state an accelerator was in while a group of samples ran; None for what could not be read.

    Attributes:
        sm_clock_hz: Clock of the processors.
        memory_clock_hz: Clock of the memory.
        temperature_c: Temperature of the chip in degrees Celsius.
        power_w: Power that the board draws.
        throttle_reasons: What held the clocks down since the group before; see :data:`THROTTLING`.
        compute_processes: Processes that have a context on the device, this one among them.
        memory_used_bytes: Memory of the device in use, by anybody.
    """

    sm_clock_hz: float | None = None
    memory_clock_hz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    throttle_reasons: tuple[str, ...] = ()
    compute_processes: int | None = None
    memory_used_bytes: int | None = None


POWER_CAP: Final = "sw_power_cap"
THROTTLING: Final = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake", "sw_thermal_slowdown", POWER_CAP)
"""Throttle reasons by which a round is rejected. Others (an idle GPU, clocks that the user fixed) are recorded only."""


@dataclass(frozen=True, slots=True)
class Round:
    """One group of samples and the reference samples beside it; all in seconds.

    Attributes:
        samples_s: Timed runs of the workload, the first run after the switch left out.
        compute_reference_s: Samples of the compute-bound reference.
        memory_reference_s: Samples of the memory-bound reference.
        cpu_share: CPU time over wall time while the samples ran, or while the references beside them ran if less.
        clock_hz: The core's clock, where it can be read.
        conditions: State of the accelerator, where there is one and it can be read.
    """

    samples_s: tuple[float, ...]
    compute_reference_s: tuple[float, ...]
    memory_reference_s: tuple[float, ...]
    cpu_share: float
    clock_hz: float | None = None
    conditions: DeviceConditions | None = None

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
class Reported:
    """A latency that somebody else measured: there are no rounds and no references beside it.

    Attributes:
        latency_s: Latency as the source gives it.
        label: The source's own name for what ran, such as the key of its table; may be empty.
        samples_s: Raw runs where the source tells them.
        repeats: Runs behind the latency where the source tells their number.
    """

    latency_s: float
    label: str = ""
    samples_s: tuple[float, ...] = ()
    repeats: int | None = None


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
        reported: The latency of somebody else, in place of rounds. It counts as ``ok`` however far its samples are
            apart, since nobody here can measure it again.
        engine: What the engine that ran it said about itself, such as its memory and the host's time to launch it;
            empty where a runtime tells nothing.
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
    reported: Reported | None = None
    engine: Mapping[str, str] = field(default_factory=dict, hash=False)

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
        """The rounds that count: not throttled, and on one thread of a CPU those that had it to themselves."""
        return undisturbed(self.rounds, self.protocol, self.target)

    def ratios(self, normaliser: Normaliser) -> tuple[float, ...]:
        """Sample median over reference median, one for each undisturbed round (for each round if there is none)."""
        return ratios(self.undisturbed or self.rounds, normaliser)

    def latency_s(self, calibration: Calibration) -> float | None:
        """Latency in seconds under `calibration`; None if the measurement failed, as reported if it was."""
        if self.reported is not None:
            return self.reported.latency_s
        if self.failure is not None or not self.rounds:
            return None
        return median(self.ratios(calibration.normaliser)) * calibration.reference_s

    def half_width(self, normaliser: Normaliser) -> float:
        """Relative half-width of the 95 % interval of the median; infinite under three undisturbed rounds."""
        if self.reported is not None:
            return relative_half_width(self.reported.samples_s)
        return relative_half_width(ratios(self.undisturbed, normaliser))

    def status(self, normaliser: Normaliser) -> Status:
        """``failed``, ``unstable`` (too wide, too often throttled or without the CPU), or ``ok``."""
        if self.reported is not None:
            return "ok"
        if self.failure is not None or not self.rounds:
            return "failed"
        return "ok" if self.half_width(normaliser) <= self.protocol.relative_half_width else "unstable"

    def instability(self, normaliser: Normaliser) -> str | None:
        """Why the status is ``unstable``, in words without numbers; None if it is another."""
        if self.status(normaliser) != "unstable":
            return None
        lost = disturbances(self.rounds, self.protocol, self.target)
        if lost and len(self.undisturbed) < MIN_INTERVAL_ROUNDS:
            share = "all" if not self.undisturbed else "most"
            return f"{share} rounds were disturbed: {', '.join(lost)}"
        return "the interval is too wide"


def ratios(rounds: Iterable[Round], normaliser: Normaliser) -> tuple[float, ...]:
    """Sample median over reference median, one a round."""
    return tuple(median(r.samples_s) / r.reference_s(normaliser) for r in rounds)


def undisturbed(rounds: Iterable[Round], protocol: Protocol, target: Target) -> tuple[Round, ...]:
    """The rounds that nothing disturbed; see :func:`disturbance`."""
    return tuple(round_ for round_ in rounds if not disturbance(round_, protocol, target))


def disturbances(rounds: Iterable[Round], protocol: Protocol, target: Target) -> tuple[str, ...]:
    """Everything that disturbed any of the rounds, each once, sorted."""
    return tuple(sorted({reason for round_ in rounds for reason in disturbance(round_, protocol, target)}))


def disturbance(round_: Round, protocol: Protocol, target: Target) -> tuple[str, ...]:
    """What happened in a round so that it does not count: ``shared CPU``, or why the GPU was throttled."""
    shared = target.needs_whole_cpu and round_.cpu_share < protocol.min_cpu_share
    return (*(("shared CPU",) if shared else ()), *throttling(round_, protocol))


def throttling(round_: Round, protocol: Protocol) -> tuple[str, ...]:
    """Why the GPU was throttled in a round, of the reasons that count under `protocol`."""
    found = () if round_.conditions is None else round_.conditions.throttle_reasons
    return tuple(r for r in found if r in THROTTLING and (protocol.reject_power_cap or r != POWER_CAP))


def relative_half_width(ratios: tuple[float, ...]) -> float:
    """Half-width of the 95 % interval of a median, over the median.

    Normal approximation through the median absolute deviation: 1.96 * 1.2533 * 1.4826 * MAD / sqrt(n);
    1.2533 = sqrt(pi / 2) is the asymptotic standard error of a median over that of a mean, 1.4826 turns
    a MAD into a standard deviation. Infinite under three ratios, and around a median of zero, which a clock shows that
    stands still.
    """
    if len(ratios) < MIN_INTERVAL_ROUNDS:
        return math.inf
    centre = median(ratios)
    if centre <= 0.0:
        return math.inf
    deviation = median(abs(ratio - centre) for ratio in ratios)
    return 1.96 * 1.2533 * 1.4826 * deviation / math.sqrt(len(ratios)) / centre
