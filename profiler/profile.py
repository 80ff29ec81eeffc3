"""Profiling: measure a plan, keep each result as it comes, and say how far the results can be trusted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

from hyctas.measurement import Calibration, Measurement, Round, Status, ratios, undisturbed
from hyctas.measurement import Protocol as MeasuringProtocol
from profiler.blocks import BlockRunner, BlockSettings, Finished
from profiler.interruption import uninterrupted
from profiler.noise import noise_floor, split_halves
from profiler.plan import CHAIN, PlannedWorkload
from profiler.store import Progress, Result, Store
from profiler.summary import ProfileSummary, failure_counts, instability_counts, per_hour, reference_drift

MIN_REPEATS: Final = 24
REPEAT_SHARE: Final = 0.1
FIRST_PHASE_SHARE: Final = 0.85
"""Share of a budget after which the first measurements stop, so that repeats and the noise floor get their time."""
SECOND_PHASE_SHARE: Final = 0.92


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """How a plan is measured.

    Attributes:
        calibration: The target's reference latencies.
        protocol: Rounds, samples and the stopping rule.
        seed: For the order, the weights and the choice of repeats.
        budget_s: Seconds after which no new block is begun, or None.
        repeats: Workloads measured again in another process; by default a tenth of the plan, at least 24.
        retry_failed: Whether what failed in an earlier run is tried again.
        blocks: How blocks are formed and measured.
    """

    calibration: Calibration
    protocol: MeasuringProtocol = field(default_factory=MeasuringProtocol)
    seed: int = 0
    budget_s: float | None = None
    repeats: int | None = None
    retry_failed: bool = False
    blocks: BlockSettings = field(default_factory=BlockSettings)


def run_plan(
    plan: Sequence[PlannedWorkload], store: Store, settings: ProfileSettings, progress: Progress
) -> ProfileSummary:
    """Measure what `store` does not hold yet, then unstable results once more, then a sample for the noise floor.

    An interruption (Ctrl-C) ends the run early but in order: what was measured is kept, the summary says so.

    Raises:
        RuntimeUnavailable: The target's runtime cannot be opened.
    """
    return ProfileRun(plan, store, settings, progress).run()


class ProfileRun:
    """One run of a plan; see :func:`run_plan`."""

    def __init__(
        self, plan: Sequence[PlannedWorkload], store: Store, settings: ProfileSettings, progress: Progress
    ) -> None:
        self._plan, self._store, self._settings, self._progress = plan, store, settings, progress
        self._start_s = time.perf_counter()
        self._rng = np.random.default_rng(settings.seed)
        calibration = settings.calibration
        self._blocks = BlockRunner(
            calibration.target, settings.protocol, calibration.normaliser, self._rng, settings.blocks
        )
        self._primary: dict[str, Measurement] = {}
        self._repeated: dict[str, Measurement] = {}
        self._known: set[str] = set()
        """Measured by other runs, before this one or meanwhile."""
        self._interrupted = False

    def run(self) -> ProfileSummary:
        """Go through all phases."""
        self._look_up_known()
        try:
            self._first_time([item for item in self._plan if item.key not in self._known])
            self._again([item for item in self._plan if self._status(item.key) == "unstable"])
            self._repeat(self._sample())
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            self._blocks.end_process()
        return self._summary()

    def _look_up_known(self) -> None:
        done: tuple[Status, ...] = ("ok",) if self._settings.retry_failed else ("ok", "failed")
        statuses = self._store.statuses()
        keys = (item.key for item in self._plan if item.key not in self._primary)
        self._known = {key for key in keys if statuses.get(key) in done}

    def _first_time(self, items: Sequence[PlannedWorkload]) -> None:
        self._measure("measure", items, until=FIRST_PHASE_SHARE, repeat=False)

    def _again(self, items: Sequence[PlannedWorkload]) -> None:
        self._measure("measure again", items, until=SECOND_PHASE_SHARE, repeat=False)

    def _repeat(self, items: Sequence[PlannedWorkload]) -> None:
        self._blocks.end_process()
        self._measure("noise floor", items, until=1.0, repeat=True)

    def _sample(self) -> Sequence[PlannedWorkload]:
        """Stable workloads, of this or earlier runs, to measure in another process; as many as are still wanted."""
        statuses, repeated = self._store.statuses(), self._store.pairs()
        stable = [item for item in self._plan if statuses.get(item.key) == "ok"]
        wanted = self._settings.repeats
        if wanted is None:
            wanted = max(MIN_REPEATS, round(REPEAT_SHARE * len(stable)))
        candidates = [item for item in stable if item.key not in repeated]
        wanted -= len(stable) - len(candidates)
        return [candidates[position] for position in self._rng.permutation(len(candidates))[: max(wanted, 0)]]

    def _measure(self, phase: str, items: Sequence[PlannedWorkload], *, until: float, repeat: bool) -> None:
        """Measure `items` in random order, until the given share of the budget is spent."""
        if not items:
            return
        self._progress.begin(phase, len(items))
        waiting: Sequence[PlannedWorkload] = [items[position] for position in self._rng.permutation(len(items))]
        while waiting and not self._spent(until):
            block, waiting = self._blocks.take(waiting)
            left = {item.key: item for item in block}
            for finished in self._blocks.measure(block, chains=not repeat):
                del left[finished.item.key]
                self._keep(finished, repeat=repeat)
            waiting = [*left.values(), *waiting]
            if not repeat:
                waiting = self._not_measured_meanwhile(waiting)

    def _spent(self, share: float) -> bool:
        """Whether that share of the budget is used up."""
        budget_s = self._settings.budget_s
        return budget_s is not None and time.perf_counter() - self._start_s > share * budget_s

    def _keep(self, finished: Finished, *, repeat: bool) -> None:
        measurement = finished.measurement
        marginal_s = marginal_cost_s(measurement, finished.chain_rounds, self._settings.calibration)
        with uninterrupted():
            self._store.save(Result(finished.item, measurement, marginal_s, repeat))
            (self._repeated if repeat else self._primary)[measurement.workload_key] = measurement
        self._progress.advance(1)

    def _not_measured_meanwhile(self, waiting: Sequence[PlannedWorkload]) -> Sequence[PlannedWorkload]:
        """Leave out what another run on the same database has finished in the meantime."""
        before = len(self._known)
        self._look_up_known()
        if len(self._known) == before:
            return waiting
        left = [item for item in waiting if item.key not in self._known]
        self._progress.advance(len(waiting) - len(left))
        return left

    def _status(self, key: str) -> Status | None:
        measurement = self._primary.get(key)
        return None if measurement is None else measurement.status(self._settings.calibration.normaliser)

    def _summary(self) -> ProfileSummary:
        calibration = self._settings.calibration
        everything = [*self._primary.values(), *self._repeated.values()]
        statuses = Counter(measurement.status(calibration.normaliser) for measurement in everything)
        primary = Counter(map(self._status, self._primary))
        pairs = self._store.pairs()
        pairs_of_plan = [pairs[item.key] for item in self._plan if item.key in pairs]
        halves = [split_halves(m, calibration.normaliser) for m in everything]
        wall_s = time.perf_counter() - self._start_s
        return ProfileSummary(
            planned=len(self._plan),
            already_measured=len(self._known),
            measured=primary["ok"],
            unstable=primary["unstable"],
            unstable_because=instability_counts(self._primary.values(), calibration.normaliser),
            failed=failure_counts(self._primary.values()),
            without_marginal=dict(self._blocks.without_marginal),
            remaining=len(self._plan) - len(self._known) - len(self._primary),
            noise_between=noise_floor(pairs_of_plan),
            noise_within=noise_floor(pair for pair in halves if pair is not None),
            repeats=len(pairs_of_plan),
            timing=self._blocks.timing,
            wall_s=wall_s,
            per_hour=per_hour(statuses["ok"], wall_s),
            reference_drift=reference_drift(everything, calibration),
            interrupted=self._interrupted,
        )


def marginal_cost_s(single: Measurement, chain: Sequence[Round], calibration: Calibration) -> float | None:
    """Cost in seconds of one more copy inside a chain: (chain - single) / (copies - 1), under the calibration.

    None where one of both was not measured.
    """
    if not single.rounds or not chain:
        return None
    many = undisturbed(chain, single.protocol, single.target) or chain
    normaliser = calibration.normaliser
    difference = median(ratios(many, normaliser)) - median(single.ratios(normaliser))
    return difference / (CHAIN - 1) * calibration.reference_s
