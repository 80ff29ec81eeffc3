"""Blocks: workloads measured together in one process, and what is done when that process dies.

The workload at work is to blame for a death or a hang; the others of its block are measured again. A death that
nothing can be blamed for makes suspects of all, which then run one by one. A chain that dies costs its operator
only the marginal cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hyctas.graph import Graph
from hyctas.measurement import Failure, Measurement, Normaliser, Round
from hyctas.measurement import Protocol as MeasuringProtocol
from hyctas.target import Target
from profiler.plan import PlannedWorkload
from profiler.runtimes import RUNTIMES
from profiler.session import TURN_LIMIT_S, Outcome, ProcessEnded, Session, SessionSettings, Timing

CHAIN_SUFFIX: Final = "/chain"


@dataclass(frozen=True, slots=True)
class BlockSettings:
    """How blocks are formed and measured.

    Attributes:
        size: Most workloads that are interleaved with one another.
        resident_bytes: Most memory (roughly) that the engines of a block hold together; one alone may hold more.
        per_process: Blocks after which a new process takes over, so that a run is not one process's luck.
        turn_limit_s: Longest silence before a process counts as hung.
        build_limit_s: Longest time that the build of one engine may take; None takes that of the target's device.
        runtimes: Where runtimes are defined.
    """

    size: int = 12
    resident_bytes: int = 2 * 2**30
    per_process: int = 8
    turn_limit_s: float = TURN_LIMIT_S
    build_limit_s: float | None = None
    runtimes: Mapping[str, str] = field(default_factory=lambda: RUNTIMES)


@dataclass(frozen=True, slots=True)
class Finished:
    """A workload with its result, and the rounds of its chain if that was measured too."""

    item: PlannedWorkload
    measurement: Measurement
    chain_rounds: tuple[Round, ...]


class BlockRunner:
    """Measures blocks in one process after another.

    Attributes:
        session: The process at work, if there is one.
        timing: Where the wall time of finished processes went.
        without_marginal: Chains that failed, by kind and message; their operators are measured alone.
    """

    def __init__(
        self,
        target: Target,
        protocol: MeasuringProtocol,
        normaliser: Normaliser,
        rng: np.random.Generator,
        settings: BlockSettings,
    ) -> None:
        self.session: Session | None = None
        self.timing = Timing()
        self.without_marginal: Counter[str] = Counter()
        self._target, self._protocol, self._normaliser = target, protocol, normaliser
        self._rng, self._settings = rng, settings
        self._blocks = 0
        self._suspects: set[str] = set()
        self._without_chain: set[str] = set()

    def take(self, waiting: Sequence[PlannedWorkload]) -> tuple[Sequence[PlannedWorkload], Sequence[PlannedWorkload]]:
        """Split off the next block: at least one workload, within the limits, and a suspect alone."""
        size, resident_bytes = 0, 0
        for item in waiting[: self._settings.size]:
            resident_bytes += item.resident_bytes
            too_much = resident_bytes > self._settings.resident_bytes or item.key in self._suspects
            if size and (too_much or waiting[0].key in self._suspects):
                break
            size += 1
        return waiting[:size], waiting[size:]

    def measure(self, block: Sequence[PlannedWorkload], *, chains: bool) -> Iterator[Finished]:
        """Measure a block, with or without chains; yields each result as soon as it is there.

        What is not yielded was left over by a process that died, and is to be given again.

        Raises:
            RuntimeUnavailable: The runtime does not open.
        """
        session = self._open_session()
        pending = {item.key: _Pending(item) for item in block}
        chained = {key for key, p in pending.items() if chains and p.item.chain and key not in self._without_chain}
        try:
            for outcome in session.measure(_graphs(block, chained)):
                key = outcome.name.removesuffix(CHAIN_SUFFIX)
                if key not in pending:
                    continue
                self._note(pending[key], outcome, chained)
                if pending[key].complete(key in chained):
                    yield pending.pop(key).finished(self._measurement)
        except ProcessEnded as ended:
            yield from self._after_death(ended, pending)
            self.end_process()

    def end_process(self) -> None:
        """End the process; the next block gets a new one."""
        if self.session is not None:
            self.session.close()
            self.timing += self.session.timing
            self.session = None

    def _note(self, pending: _Pending, outcome: Outcome, chained: set[str]) -> None:
        if not outcome.name.endswith(CHAIN_SUFFIX):
            pending.single = outcome
        elif outcome.failure is None:
            pending.chain = outcome
        else:
            chained.discard(outcome.name.removesuffix(CHAIN_SUFFIX))
            self._give_up_chain(pending.item.key, outcome.failure)

    def _give_up_chain(self, key: str, failure: Failure) -> None:
        self._without_chain.add(key)
        self.without_marginal[f"{failure.kind}: {failure.message}"] += 1

    def _after_death(self, ended: ProcessEnded, pending: Mapping[str, _Pending]) -> Iterator[Finished]:
        """Blame the workload at work, or the only one there is; else suspect all."""
        failure = Failure(ended.kind, str(ended))
        culprit = ended.culprit or (next(iter(pending)) if len(pending) == 1 else "")
        key = culprit.removesuffix(CHAIN_SUFFIX)
        if key not in pending:
            self._suspects.update(pending)
            return
        blamed = pending[key]
        if culprit.endswith(CHAIN_SUFFIX):
            self._give_up_chain(key, failure)
        else:
            blamed.single = Outcome(key, (), failure)
        if blamed.single is not None:
            yield blamed.finished(self._measurement)

    def _measurement(self, outcome: Outcome) -> Measurement:
        session = self.session
        assert session is not None
        return Measurement(
            workload_key=outcome.name,
            target=self._target,
            rounds=outcome.rounds,
            call_floor_s=session.call_floor_s,
            protocol=self._protocol,
            environment={**session.environment, "reference": session.reference_id},
            metric=session.metric,
            process_id=session.process_id,
            failure=outcome.failure,
            engine=outcome.facts,
        )

    def _open_session(self) -> Session:
        if self._blocks >= self._settings.per_process:
            self.end_process()
        if self.session is None:
            s, seed = self._settings, int(self._rng.integers(2**31))
            settings = SessionSettings(
                self._target,
                self._protocol,
                self._normaliser,
                seed,
                s.runtimes,
                turn_limit_s=s.turn_limit_s,
                build_limit_s=s.build_limit_s,
            )
            self.session, self._blocks = Session(settings), 0
        self._blocks += 1
        return self.session


@dataclass
class _Pending:
    """What is known of a workload of the block at work."""

    item: PlannedWorkload
    single: Outcome | None = None
    chain: Outcome | None = None

    def complete(self, chained: bool) -> bool:
        if self.single is None:
            return False
        return self.chain is not None or not chained or self.single.failure is not None

    def finished(self, measurement: Callable[[Outcome], Measurement]) -> Finished:
        assert self.single is not None
        return Finished(self.item, measurement(self.single), self.chain.rounds if self.chain else ())


def _graphs(block: Sequence[PlannedWorkload], chained: set[str]) -> Mapping[str, Graph]:
    """The graphs of a block by name; a chain runs in the same rounds as the operator alone."""
    graphs = {item.key: item.workload.graph for item in block}
    graphs.update((item.key + CHAIN_SUFFIX, item.chain) for item in block if item.chain and item.key in chained)
    return graphs
