"""Calibration: the reference latencies of a target, and which reference to normalise by.

Several processes, one after the other, measure the same few probe workloads. The reference latencies are medians over
all of them. The normaliser is the reference under which the probes differ least between processes. Taking none
must beat that clearly on a CPU: the few seconds of a calibration see less drift than the hours of a profile. On a GPU
a reference must beat taking none: both run on the host, where they still sound the alarm if the machine changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from hyctas.errors import MeasuringError
from hyctas.graph import Graph
from hyctas.lowering import lower_part
from hyctas.measurement import NORMALISERS, Calibration, Normaliser, Protocol, Round, undisturbed
from hyctas.parts import Part
from hyctas.target import Target
from profiler.session import Session, SessionSettings

DEFAULT_PROCESSES: Final = 7
MIN_PROCESSES: Final = 2
"""With fewer nothing is known about the error between processes."""
CLEARLY_BETTER: Final = 0.8
"""Share of the other's error that the choice which is not the default must stay under."""
BUSY_MACHINE: Final = 0.05
"""Error between processes above which the machine was too busy to be calibrated well."""
SLOW_MACHINE: Final = 0.15
"""Share by which the absolute reference may differ from the calibrated one before that is an alarm."""

PROBES: Final = (
    Part("conv", 24, 48, (96,), 96),
    Part("conv_2x_downup", 24, 48, (64,), 96),
    Part("skip", 24, 48, (96,), 192, stride=2),
    Part("sa", 24, 48, (96,), 96, attention="efficient"),
    Part("conv_2x", 12, 24, (192,), 192),
    Part("conv", 6, 12, (384,), 384),
    Part("stem_conv", 192, 384, (3,), 48),
)
"""Operators of all shapes: compute-bound, memory-bound, and in between."""


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """What one process measured: the rounds of each probe."""

    rounds: Mapping[str, tuple[Round, ...]]

    def latency(self, probe: str, normaliser: Normaliser) -> float:
        """Median ratio of a probe under `normaliser`."""
        return median(median(r.samples_s) / r.reference_s(normaliser) for r in self.rounds[probe])

    def reference_s(self, normaliser: Normaliser) -> float:
        """Median reference time of this process."""
        return median(r.reference_s(normaliser) for rounds in self.rounds.values() for r in rounds)


def calibrate(
    target: Target,
    *,
    version: int,
    processes: int = DEFAULT_PROCESSES,
    seed: int = 0,
    build_limit_s: float | None = None,
    budget_s: float | None = None,
    on_process: Callable[[int], None] = lambda finished: None,
) -> Calibration:
    """Measure the references of `target`.

    Args:
        target: What to calibrate.
        version: Number of the new calibration.
        processes: How many processes to measure in, at least 2.
        seed: For the order of rounds.
        build_limit_s: See :class:`profiler.session.SessionSettings`.
        budget_s: Seconds that the processes should take together; two are measured in any case.
        on_process: Told how many processes are finished.

    Raises:
        RuntimeUnavailable: The target's runtime cannot be opened.
        MeasuringError: No probe ran in every process.
    """
    protocol = Protocol(min_rounds=7, max_rounds=7)
    runs, reference_id = [], ""
    begun_s = time.monotonic()
    for process in range(processes):
        elapsed_s = time.monotonic() - begun_s
        if budget_s is not None and process >= MIN_PROCESSES and elapsed_s * (process + 1) / process > budget_s:
            break
        settings = SessionSettings(target, protocol, "none", seed + process, build_limit_s=build_limit_s)
        with Session(settings) as session:
            reference_id = session.reference_id
            runs.append(_probe(session, protocol, target))
        on_process(process + 1)
    common = _measured_everywhere(runs)
    if not common:
        raise MeasuringError(f"{target}: none of the {len(PROBES)} probe operators ran; is the runtime broken?")
    errors = {normaliser: process_error(runs, common, normaliser) for normaliser in NORMALISERS}
    return Calibration(
        target=target,
        version=version,
        compute_reference_s=median(run.reference_s("compute") for run in runs),
        memory_reference_s=median(run.reference_s("memory") for run in runs),
        normaliser=choose_normaliser(errors, on_gpu=target.on_gpu),
        process_error=errors,
        reference_id=reference_id,
        processes=len(runs),
    )


def choose_normaliser(errors: Mapping[Normaliser, float], *, on_gpu: bool = False) -> Normaliser:
    """The reference with the smallest error, or ``none``.

    On the CPU that the references run on, ``none`` must be better than they by a fifth. On a GPU it is the other way
    round: speed of the host says nothing about it, so a reference must be better than ``none`` by a fifth.
    """
    references = [normaliser for normaliser in NORMALISERS if normaliser != "none"]
    best = min(references, key=lambda normaliser: errors[normaliser])
    if on_gpu:
        return best if errors[best] < CLEARLY_BETTER * errors["none"] else "none"
    return "none" if errors["none"] < CLEARLY_BETTER * errors[best] else best


def process_error(runs: Sequence[ProbeRun], probes: Sequence[str], normaliser: Normaliser) -> float:
    """Mean over probes of the relative standard deviation between processes.

    From the median absolute deviation (times 1.4826, as for a normal distribution), so that one process that
    something else disturbed neither chooses the normaliser nor widens every interval.
    """
    spreads = []
    for probe in probes:
        latencies = [run.latency(probe, normaliser) for run in runs]
        centre = median(latencies)
        spreads.append(1.4826 * median(abs(latency - centre) for latency in latencies) / centre)
    return fmean(spreads)


def _measured_everywhere(runs: Sequence[ProbeRun]) -> tuple[str, ...]:
    return tuple(name for name in runs[0].rounds if all(name in run.rounds for run in runs))


def _probe(session: Session, protocol: Protocol, target: Target) -> ProbeRun:
    """Measure the probes; disturbed rounds count only where there are no others."""
    graphs: dict[str, Graph] = {part.label: lower_part(part) for part in PROBES}
    measured = {outcome.name: outcome.rounds for outcome in session.measure(graphs) if outcome.failure is None}
    return ProbeRun({name: undisturbed(rounds, protocol, target) or rounds for name, rounds in measured.items()})
