"""Interleaved rounds: the measuring protocol, free of any runtime.

A block of prepared engines is cycled several times in random order. Both reference workloads are timed between any
two turns, so that each sample group stands between a reference before it and one after it. A turn throws one run
away (the switch cooled the caches), then takes its samples. An engine leaves the block when the stopping rule says so.

A GPU idles while the references run on the host, so a turn on one throws away as much as a sample takes. Engines with
a clock of their own time themselves (:class:`profiler.runtimes.engine.SelfTimed`). Where the state of the device can be
read, it is read right after every group.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from hyctas.measurement import DeviceConditions, Round
from profiler.clock import Clock, SystemClock
from profiler.runtimes.engine import SelfTimed
from profiler.stopping import StoppingRule

WARM_UP_TOLERANCE: Final = 0.05
"""Warm-up ends when a run differs from the one before by less than this share."""
MAX_WARM_UP_RUNS: Final = 10
SHORTEST_SAMPLE_S: Final = 1e-3
"""A sample of a shorter workload is the mean of several runs back to back, so that the clock does not matter."""
SHORTEST_RUN_S: Final = 1e-7
"""What a run is taken to last at least, so that a clock that shows none does not ask for endless repeats."""
DEVICE_WARM_UP_S: Final = 0.3
"""A GPU works for at least this long before a block: an idle one takes some tenths of a second until it runs at full
clock, while runs at the low clock agree with one another well."""
LONGEST_GROUP_S: Final = 2.0
"""A longer workload takes fewer samples a round (at least one), so that rounds stay close to their references."""


class Runnable(Protocol):
    """Anything that does its work once when it is told to."""

    def run(self) -> None:
        """Do the work, and return when it is done."""


@dataclass(frozen=True, slots=True)
class References:
    """The two reference workloads that are timed between turns."""

    compute: Runnable
    memory: Runnable


@dataclass(frozen=True, slots=True)
class ReferenceTimes:
    """One run of each reference, in seconds, and the share of the CPU that they had."""

    compute_s: float
    memory_s: float
    cpu_share: float


@dataclass
class Entry:
    """An engine in a block and what is known about it so far.

    Attributes:
        engine: What is timed.
        samples: Samples that it takes in one round.
        repeats: Runs that make up one sample.
        rounds: Its finished rounds.
        spent_s: Seconds of its own runs.
    """

    engine: Runnable
    samples: int = 1
    repeats: int = 1
    rounds: list[Round] = field(default_factory=list)
    spent_s: float = 0.0


OnTurn = Callable[[int], None]
OnFinished = Callable[[int, tuple[Round, ...]], None]


@dataclass
class Interleaver:
    """Measures blocks of engines under one protocol.

    Attributes:
        rule: When an engine has had enough rounds; holds the protocol.
        references: What is timed beside every sample group.
        rng: Draws the order of each round.
        clock: Where time comes from.
        conditions: Reads the state of the device; None where there is nothing to read.
        timed_s: Seconds spent in warm-up, thrown-away runs, references and samples so far.
    """

    rule: StoppingRule
    references: References
    rng: np.random.Generator
    clock: Clock = field(default_factory=SystemClock)
    conditions: Callable[[], DeviceConditions] | None = None
    timed_s: float = 0.0

    def measure(self, engines: Sequence[Runnable], *, on_turn: OnTurn, on_finished: OnFinished) -> None:
        """Measure a block.

        Args:
            engines: Prepared engines.
            on_turn: Told the position of the engine whose turn begins, so that a crash can be blamed.
            on_finished: Told the position and the rounds of an engine as soon as it has enough.
        """
        entries = [Entry(engine) for engine in engines]
        for position, entry in enumerate(entries):
            on_turn(position)
            self._warm_up(entry, least_s=DEVICE_WARM_UP_S if self._on_gpu and position == 0 else 0.0)
        waiting = list(range(len(entries)))
        before = self._reference()
        while waiting:
            for position in map(int, self.rng.permutation(waiting)):
                on_turn(position)
                before = self._turn(entries[position], before)
            finished = [p for p in waiting if self.rule.finished(entries[p].rounds, entries[p].spent_s)]
            for position in finished:
                on_finished(position, tuple(entries[position].rounds))
            waiting = [position for position in waiting if position not in finished]
            before = self._reference() if finished and waiting else before

    @property
    def _on_gpu(self) -> bool:
        return self.rule.target.on_gpu

    def _warm_up(self, entry: Entry, *, least_s: float) -> None:
        """Run until two runs in a row agree, and choose how many runs a sample and how many samples a round takes."""
        begun_ns = self.clock.wall_ns()
        run_s = self._time(entry.engine)
        for runs in itertools.count(1):
            repeats = _repeats(run_s) if self._on_gpu else 1
            latest_s = self._time(entry.engine, repeats)
            settled = abs(latest_s - run_s) <= WARM_UP_TOLERANCE * run_s
            run_s = latest_s
            if (settled or runs >= MAX_WARM_UP_RUNS) and (self.clock.wall_ns() - begun_ns) * 1e-9 >= least_s:
                break
        entry.repeats = _repeats(run_s)
        most = math.floor(LONGEST_GROUP_S / (max(run_s, SHORTEST_RUN_S) * entry.repeats))
        entry.samples = max(1, min(self.rule.protocol.samples_per_round, most))

    def _turn(self, entry: Entry, before: ReferenceTimes) -> ReferenceTimes:
        """One round of one engine; returns the references after it."""
        thrown_away = entry.repeats if self._on_gpu else 1
        thrown_away_s = self._time(entry.engine, thrown_away) * thrown_away
        begun = self._now()
        samples = tuple(self._time(entry.engine, entry.repeats) for _ in range(entry.samples))
        cpu_share = self._cpu_share_since(begun)
        frequency_hz = self.clock.frequency_hz()
        conditions = None if self.conditions is None else self.conditions()
        after = self._reference()
        compute, memory = (before.compute_s, after.compute_s), (before.memory_s, after.memory_s)
        cpu_share = min(cpu_share, before.cpu_share, after.cpu_share)
        entry.rounds.append(Round(samples, compute, memory, cpu_share, frequency_hz, conditions))
        entry.spent_s += thrown_away_s + sum(samples) * entry.repeats
        return after

    def _reference(self) -> ReferenceTimes:
        """Time both references, memory first: the compute-bound one always begins with caches that it left cold."""
        begun = self._now()
        memory_s = self._time(self.references.memory)
        compute_s = self._time(self.references.compute)
        return ReferenceTimes(compute_s, memory_s, self._cpu_share_since(begun))

    def _now(self) -> tuple[int, int]:
        """Wall time and CPU time."""
        return self.clock.wall_ns(), self.clock.cpu_ns()

    def _cpu_share_since(self, begun: tuple[int, int]) -> float:
        """CPU time over wall time since an earlier :meth:`_now`."""
        wall_ns, cpu_ns = self._now()
        return (cpu_ns - begun[1]) / max(wall_ns - begun[0], 1)

    def _time(self, work: Runnable, repeats: int = 1) -> float:
        """Seconds of one run, as the mean of `repeats`; by the engine's own clock where it has one."""
        if isinstance(work, SelfTimed):
            return self._time_itself(work, repeats)
        start_ns = self.clock.wall_ns()
        for _ in range(repeats):
            work.run()
        elapsed_s = (self.clock.wall_ns() - start_ns) * 1e-9
        self.timed_s += elapsed_s
        return elapsed_s / repeats

    def _time_itself(self, work: SelfTimed, repeats: int) -> float:
        start_ns = self.clock.wall_ns()
        own_s = work.time_s(repeats)
        self.timed_s += (self.clock.wall_ns() - start_ns) * 1e-9
        return own_s


def _repeats(run_s: float) -> int:
    """Runs that make up a sample of a workload that takes so long."""
    return max(1, math.ceil(SHORTEST_SAMPLE_S / max(run_s, SHORTEST_RUN_S)))
