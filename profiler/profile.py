"""Profiling: measure a plan, keep each result as it comes, and say how far the results can be trusted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Protocol

import numpy as np

from hyctas.graph import Graph
from hyctas.measurement import Calibration, Failure, Measurement, Round, Status
from hyctas.measurement import Protocol as MeasuringProtocol
from profiler.calibration import SLOW_MACHINE
from profiler.noise import noise_floor, split_halves
from profiler.plan import CHAIN, PlannedWorkload
from profiler.runtimes import RUNTIMES
from profiler.session import TURN_LIMIT_S, Outcome, ProcessEnded, Session, SessionSettings, Timing

CHAIN_SUFFIX: Final = "/chain"
MIN_REPEATS: Final = 24
REPEAT_SHARE: Final = 0.1
FIRST_PHASE_SHARE: Final = 0.85
"""Share of a budget after which the first measurements stop, so that repeats and the noise floor get their time."""
SECOND_PHASE_SHARE: Final = 0.92


@dataclass(frozen=True, slots=True)
class Result:
    """A finished measurement on its way to the database.

    Attributes:
        planned: What was measured.
        measurement: The raw result.
        marginal_s: What the operator adds inside a chain, in seconds; None where it was not measured.
        repeat: Whether it was measured again for the noise floor or because it was unstable.
    """

    planned: PlannedWorkload
    measurement: Measurement
    marginal_s: float | None
    repeat: bool


class Store(Protocol):
    """Where results go; every save is final before it returns."""

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload that is already measured on this target, by key."""

    def save(self, result: Result) -> None:
        """Keep one result for good."""


class Progress(Protocol):
    """Who is told how far the work is."""

    def begin(self, phase: str, total: int) -> None:
        """A phase of so many workloads begins."""

    def advance(self, count: int) -> None:
        """So many more workloads are finished."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """How a plan is measured.

    Attributes:
        calibration: The target's reference latencies.
        protocol: Rounds, samples and the stopping rule.
        seed: For the order, the weights and the choice of repeats.
        budget_s: Seconds after which no new block is begun, or None.
        block_size: Workloads that are interleaved with one another.
        blocks_per_process: Blocks after which a new process takes over, so that a run is not one process's luck.
        repeats: Workloads measured again in another process; by default a tenth of the plan, at least 24.
        runtimes: Where runtimes are defined.
        turn_limit_s: Longest silence before a process counts as hung.
    """

    calibration: Calibration
    protocol: MeasuringProtocol = field(default_factory=MeasuringProtocol)
    seed: int = 0
    budget_s: float | None = None
    block_size: int = 12
    blocks_per_process: int = 8
    repeats: int | None = None
    runtimes: Mapping[str, str] = field(default_factory=lambda: RUNTIMES)
    turn_limit_s: float = TURN_LIMIT_S


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """What a run measured, and how well.

    Attributes:
        planned: Workloads of the plan.
        already_measured: Those that earlier runs had measured.
        measured: Newly measured with a stable result.
        unstable: Newly measured, flagged: kept, left out of training, measured again by the next run.
        failed: Newly failed, by kind and message.
        remaining: Not reached within the budget or before an interruption.
        noise_between: Noise floor between processes, or None without repeats.
        noise_within: Noise floor within one process.
        repeats: Pairs behind `noise_between`.
        timing: Where the wall time of blocks went.
        wall_s: Wall time of the whole run, processes' start included.
        per_hour: Stable workloads an hour at this rate.
        reference_drift: Absolute reference latency of this run over the calibrated one, minus one.
        interrupted: Whether it was stopped from outside.
    """

    planned: int
    already_measured: int
    measured: int
    unstable: int
    failed: Mapping[str, int]
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


def run_plan(
    plan: Sequence[PlannedWorkload], store: Store, settings: ProfileSettings, progress: Progress
) -> ProfileSummary:
    """Measure what `store` does not hold yet, then unstable results once more, then a sample for the noise floor.

    An interruption (Ctrl-C) ends the run early but in order: what was measured is kept, the summary says so.

    Raises:
        RuntimeUnavailable: The target's runtime cannot be opened.
    """
    return _Run(plan, store, settings, progress).run()


class _Run:
    def __init__(
        self, plan: Sequence[PlannedWorkload], store: Store, settings: ProfileSettings, progress: Progress
    ) -> None:
        self._plan, self._store, self._settings, self._progress = plan, store, settings, progress
        self._rng = np.random.default_rng(settings.seed)
        self._start_s = time.perf_counter()
        self._timing = Timing()
        self._session: Session | None = None
        self._blocks = 0
        self._primary: dict[str, Measurement] = {}
        self._again: dict[str, Measurement] = {}
        self._suspects: set[str] = set()
        """Workloads of a block that died without a culprit; they go on one by one."""
        self._interrupted = False

    def run(self) -> ProfileSummary:
        known = self._store.statuses()
        todo = [item for item in self._plan if known.get(item.key) not in ("ok", "failed")]
        try:
            self._measure("measure", todo, until=FIRST_PHASE_SHARE, repeat=False)
            unstable = [item for item in todo if self._status(item) == "unstable"]
            self._measure("measure again", unstable, until=SECOND_PHASE_SHARE, repeat=True)
            self._measure("noise floor", self._sample(), until=1.0, repeat=True)
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            self._end_session()
        return self._summary(len(self._plan) - len(todo), todo)

    def _status(self, item: PlannedWorkload) -> Status | None:
        measurement = self._primary.get(item.key)
        return None if measurement is None else measurement.status(self._settings.calibration.normaliser)

    def _sample(self) -> list[PlannedWorkload]:
        """Stable workloads of this run to measure in another process."""
        stable = [item for item in self._plan if self._status(item) == "ok" and item.key not in self._again]
        wanted = self._settings.repeats
        if wanted is None:
            wanted = max(MIN_REPEATS, round(REPEAT_SHARE * len(stable)))
        chosen = self._rng.permutation(len(stable))[:wanted]
        self._end_session()
        return [stable[position] for position in chosen]

    def _measure(self, phase: str, items: Sequence[PlannedWorkload], *, until: float, repeat: bool) -> None:
        """Measure `items` in random order, until the given share of the budget is spent."""
        if not items:
            return
        self._progress.begin(phase, len(items))
        waiting = [items[position] for position in self._rng.permutation(len(items))]
        while waiting and not self._spent(until):
            size = 1 if waiting[0].key in self._suspects else self._settings.block_size
            block, waiting = waiting[:size], waiting[size:]
            left = self._measure_block(block, repeat=repeat)
            self._progress.advance(len(block) - len(left))
            waiting = left + waiting

    def _spent(self, share: float) -> bool:
        """Whether that share of the budget is used up."""
        budget_s = self._settings.budget_s
        return budget_s is not None and time.perf_counter() - self._start_s > share * budget_s

    def _measure_block(self, block: Sequence[PlannedWorkload], *, repeat: bool) -> list[PlannedWorkload]:
        """Measure a block; return those that a dying process left without a result."""
        session = self._open_session()
        by_key = {item.key: item for item in block}
        chains: dict[str, Outcome] = {}
        singles: list[Outcome] = []
        before = session.timing
        try:
            for outcome in session.measure(_graphs(block)):
                if outcome.name.endswith(CHAIN_SUFFIX):
                    chains[outcome.name.removesuffix(CHAIN_SUFFIX)] = outcome
                else:
                    singles.append(outcome)
        except ProcessEnded as ended:
            self._end_session()
            culprit = _culprit(ended, block)
            if culprit is None:
                self._suspects.update(by_key)
            else:
                singles.append(Outcome(culprit, (), Failure(ended.kind, str(ended))))
        else:
            self._timing += Timing(
                session.timing.wall_s - before.wall_s,
                session.timing.timed_s - before.timed_s,
                session.timing.prepare_s - before.prepare_s,
            )
        for outcome in singles:
            self._keep(by_key[outcome.name], outcome, chains.get(outcome.name), session, repeat=repeat)
        done = {outcome.name for outcome in singles}
        return [item for item in block if item.key not in done]

    def _keep(
        self, item: PlannedWorkload, outcome: Outcome, chain: Outcome | None, session: Session, *, repeat: bool
    ) -> None:
        measurement = self._measurement(item.key, outcome, session)
        (self._again if repeat else self._primary)[item.key] = measurement
        marginal_s = self._marginal_s(outcome.rounds, chain.rounds if chain else ())
        self._store.save(Result(item, measurement, marginal_s, repeat))

    def _measurement(self, key: str, outcome: Outcome, session: Session) -> Measurement:
        return Measurement(
            workload_key=key,
            target=self._settings.calibration.target,
            rounds=outcome.rounds,
            call_floor_s=session.call_floor_s,
            protocol=self._settings.protocol,
            environment={
                **session.environment,
                "reference": session.reference_id,
                "starved_rounds": str(outcome.starved),
            },
            process_id=session.process_id,
            failure=outcome.failure,
        )

    def _marginal_s(self, single: tuple[Round, ...], chain: tuple[Round, ...]) -> float | None:
        """Cost of one more copy inside a chain: (chain - single) / (copies - 1), under the calibration."""
        if not single or not chain:
            return None
        calibration = self._settings.calibration
        one, many = (
            median(median(r.samples_s) / r.reference_s(calibration.normaliser) for r in rounds)
            for rounds in (single, chain)
        )
        return (many - one) / (CHAIN - 1) * calibration.reference_s

    def _open_session(self) -> Session:
        if self._session is not None and self._blocks >= self._settings.blocks_per_process:
            self._end_session()
        if self._session is None:
            s = self._settings
            seed = int(self._rng.integers(2**31))
            self._session = Session(
                SessionSettings(
                    s.calibration.target, s.protocol, s.calibration.normaliser, seed, s.runtimes, s.turn_limit_s
                )
            )
            self._blocks = 0
        self._blocks += 1
        return self._session

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _summary(self, already_measured: int, todo: Sequence[PlannedWorkload]) -> ProfileSummary:
        normaliser = self._settings.calibration.normaliser
        final = {**self._primary, **{key: m for key, m in self._again.items() if m.status(normaliser) == "ok"}}
        statuses = Counter(measurement.status(normaliser) for measurement in final.values())
        failures = Counter(f"{m.failure.kind}: {m.failure.message}" for m in final.values() if m.failure is not None)
        pairs = self._repeated_latencies()
        halves = [split_halves(m, normaliser) for m in final.values() if m.rounds]
        wall_s = time.perf_counter() - self._start_s
        stable = statuses["ok"]
        return ProfileSummary(
            planned=len(self._plan),
            already_measured=already_measured,
            measured=stable,
            unstable=statuses["unstable"],
            failed=dict(failures),
            remaining=len(todo) - len(self._primary),
            noise_between=noise_floor(pairs),
            noise_within=noise_floor(pair for pair in halves if pair is not None),
            repeats=len(pairs),
            timing=self._timing,
            wall_s=wall_s,
            per_hour=(stable + len(pairs)) / wall_s * 3600.0,
            reference_drift=self._reference_drift(),
            interrupted=self._interrupted,
        )

    def _repeated_latencies(self) -> list[tuple[float, float]]:
        """Latencies of workloads that were stable in two different processes."""
        calibration = self._settings.calibration
        pairs = []
        for key, second in self._again.items():
            first = self._primary[key]
            both_stable = all(m.status(calibration.normaliser) == "ok" for m in (first, second))
            a, b = first.latency_s(calibration), second.latency_s(calibration)
            if both_stable and first.process_id != second.process_id and a is not None and b is not None:
                pairs.append((a, b))
        return pairs

    def _reference_drift(self) -> float:
        samples = [r.reference_s("compute") for m in (*self._primary.values(), *self._again.values()) for r in m.rounds]
        return median(samples) / self._settings.calibration.compute_reference_s - 1.0 if samples else 0.0


def _graphs(block: Sequence[PlannedWorkload]) -> Mapping[str, Graph]:
    """The graphs of a block by name; a chain runs in the same rounds as the operator alone."""
    graphs = {item.key: item.workload.graph for item in block}
    graphs.update((item.key + CHAIN_SUFFIX, item.chain) for item in block if item.chain is not None)
    return graphs


def _culprit(ended: ProcessEnded, block: Sequence[PlannedWorkload]) -> str | None:
    """Key of the workload to blame: the one at work, or the only one there is."""
    if ended.culprit is not None:
        return ended.culprit.removesuffix(CHAIN_SUFFIX)
    return block[0].key if len(block) == 1 else None
