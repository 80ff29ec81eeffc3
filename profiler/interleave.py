"""Interleaved rounds: the measuring protocol, free of any runtime.

A block of prepared engines is cycled several times in random order. On each turn both reference workloads are
timed, then one run of the engine is thrown away (the switch cooled its caches), then its samples follow. An
engine leaves the block once its interval is narrow enough, or after the protocol's last round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from hyctas.measurement import Normaliser, Round, relative_half_width
from hyctas.measurement import Protocol as MeasuringProtocol

WARM_UP_TOLERANCE: Final = 0.05
"""Warm-up ends when a run differs from the one before by less than this share."""
MAX_WARM_UP_RUNS: Final = 10
SHORTEST_SAMPLE_S: Final = 1e-3
"""A sample of a shorter workload is the mean of several runs back to back, so that the clock does not matter."""
REFERENCE_SAMPLES: Final = 2
"""Runs of each reference beside a sample group."""
MAX_STARVED_ROUNDS: Final = 10
"""Rounds of one engine that may be thrown away because the CPU was taken away; later ones are kept as they are."""


class Runnable(Protocol):
    """Anything that does its work once when it is told to."""

    def run(self) -> None:
        """Do the work, and return when it is done."""


class Clock(Protocol):
    """Wall time, CPU time and, where it can be read, the core's clock."""

    def wall_ns(self) -> int:
        """Monotonic wall time."""

    def cpu_ns(self) -> int:
        """CPU time of this process, all threads."""

    def frequency_hz(self) -> float | None:
        """Clock of the core, or None."""


class SystemClock:
    """The clocks of the machine."""

    def wall_ns(self) -> int:
        """Monotonic wall time."""
        return time.perf_counter_ns()

    def cpu_ns(self) -> int:
        """CPU time of this process, all threads."""
        return time.process_time_ns()

    def frequency_hz(self) -> float | None:
        """Clock of the first core from cpufreq; None in most virtual machines."""
        try:
            with open("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq") as file:
                return float(file.read()) * 1e3
        except (OSError, ValueError):
            return None


@dataclass
class Entry:
    """An engine in a block and what is known about it so far.

    Attributes:
        engine: What is timed.
        repeats: Runs that make up one sample.
        rounds: Its finished rounds.
        starved: Rounds thrown away because something else had the CPU.
    """

    engine: Runnable
    repeats: int = 1
    rounds: list[Round] = field(default_factory=list)
    starved: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """The rounds of one engine, and how many were thrown away."""

    rounds: tuple[Round, ...]
    starved: int


@dataclass
class Interleaver:
    """Measures blocks of engines under one protocol.

    Attributes:
        protocol: Rounds, samples and the stopping rule.
        normaliser: The reference that ratios are taken to for the stopping rule.
        compute_reference: The compute-bound reference.
        memory_reference: The memory-bound reference.
        rng: Draws the order of each round.
        threads: Threads of the runtime, or None; only on one thread does CPU time over wall time mean anything.
        clock: Where time comes from.
        timed_s: Seconds spent in warm-up, thrown-away runs, references and samples so far.
    """

    protocol: MeasuringProtocol
    normaliser: Normaliser
    compute_reference: Runnable
    memory_reference: Runnable
    rng: np.random.Generator
    threads: int | None = 1
    clock: Clock = field(default_factory=SystemClock)
    timed_s: float = 0.0

    def measure(
        self, engines: Sequence[Runnable], *, on_turn: Callable[[int], None] = lambda position: None
    ) -> list[Measured]:
        """Measure a block.

        Args:
            engines: Prepared engines.
            on_turn: Told the position of the engine whose turn begins, so that a crash can be blamed.

        Returns:
            The result of each engine, in order.
        """
        entries = [Entry(engine) for engine in engines]
        for position, entry in enumerate(entries):
            on_turn(position)
            self._warm_up(entry)
        waiting = list(range(len(entries)))
        while waiting:
            for position in self.rng.permutation(waiting):
                on_turn(int(position))
                self._take_round(entries[position])
            waiting = [position for position in waiting if not self._finished(entries[position].rounds)]
        return [Measured(tuple(entry.rounds), entry.starved) for entry in entries]

    def _take_round(self, entry: Entry) -> None:
        """Add a round; on one thread, one in which something else had the CPU is thrown away and counted."""
        taken = self._round(entry)
        if self.threads == 1 and taken.cpu_share < self.protocol.min_cpu_share and entry.starved < MAX_STARVED_ROUNDS:
            entry.starved += 1
        else:
            entry.rounds.append(taken)

    def _finished(self, rounds: Sequence[Round]) -> bool:
        """The stopping rule."""
        if len(rounds) < self.protocol.min_rounds:
            return False
        if len(rounds) >= self.protocol.max_rounds:
            return True
        ratios = tuple(float(np.median(r.samples_s)) / r.reference_s(self.normaliser) for r in rounds)
        return relative_half_width(ratios) <= self.protocol.relative_half_width

    def _warm_up(self, entry: Entry) -> None:
        previous = self._time(entry.engine)
        for _ in range(MAX_WARM_UP_RUNS):
            latest = self._time(entry.engine)
            settled = abs(latest - previous) <= WARM_UP_TOLERANCE * previous
            previous = latest
            if settled:
                break
        entry.repeats = max(1, int(np.ceil(SHORTEST_SAMPLE_S / max(previous, 1e-9))))

    def _round(self, entry: Entry) -> Round:
        compute = tuple(self._time(self.compute_reference) for _ in range(REFERENCE_SAMPLES))
        memory = tuple(self._time(self.memory_reference) for _ in range(REFERENCE_SAMPLES))
        self._time(entry.engine)
        wall, cpu = self.clock.wall_ns(), self.clock.cpu_ns()
        samples = tuple(self._time(entry.engine, entry.repeats) for _ in range(self.protocol.samples_per_round))
        wall, cpu = self.clock.wall_ns() - wall, self.clock.cpu_ns() - cpu
        return Round(samples, compute, memory, cpu / max(wall, 1), self.clock.frequency_hz())

    def _time(self, work: Runnable, repeats: int = 1) -> float:
        """Seconds of one run, as the mean of `repeats`."""
        start = self.clock.wall_ns()
        for _ in range(repeats):
            work.run()
        elapsed_s = (self.clock.wall_ns() - start) * 1e-9
        self.timed_s += elapsed_s
        return elapsed_s / repeats
