"""The loop of onboarding: pick a block, measure it, learn, tell how good that is; until the budget is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np

from hyctas.architecture import Architecture
from hyctas.errors import MeasuringError
from hyctas.lowering import lower, lower_part
from hyctas.measurement import Calibration, Status
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.workload import Workload
from predictor.knowledge import Knowledge
from predictor.transfer.lenders import Lender
from profiler.cli.onboarding.bench import Measured
from profiler.cli.onboarding.operators import next_operators, operators_of
from profiler.cli.onboarding.picking import Pool, make_pool, next_block
from profiler.cli.onboarding.values import Block, Point, Request
from profiler.summary import ProfileSummary

POOL: Final = 240
"""Networks to pick from."""
BLOCK: Final = 10
"""Networks that are measured between two fits."""
FIRST_OPERATORS: Final = 40
"""Operators that are measured beside the first block: enough to know what they cost on the target."""
LATER_OPERATORS: Final = 10
"""Operators beside each later block."""
OPERATOR_PACE: Final = 0.4
"""Time of an operator, with its chain, over that of a network."""
LEARNING_SHARE: Final = 0.05
"""Share of the budget that is kept for learning at the end."""
UNKNOWN_PACE_S: Final = 3.0
"""Seconds that a network is taken to need before any was measured."""


class Machine(Protocol):
    """What is onboarded; see :class:`profiler.cli.onboarding.bench.Bench`."""

    def used_s(self) -> float:
        """Seconds that earlier attempts used."""

    def points(self) -> list[Point]:
        """How far they had come."""

    def calibrate(self, remaining_s: float) -> Calibration:
        """The target's calibration."""

    def statuses(self) -> Mapping[str, Status]:
        """How each measured workload ended, by key."""

    def measure(self, block: Block, calibration: Calibration, *, budget_s: float) -> Measured:
        """Measure a block."""

    def finish(self, measured: Measured, point: Point) -> None:
        """End the runs of a block."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the measurements that are stored teach, and how many they are.

    Attributes:
        knowledge: What was learned; None where there are too few.
        operators: Operators with a stable result.
        networks: Networks likewise.
        drawn: Those of them that chance picked.
    """

    knowledge: Knowledge | None
    operators: int
    networks: int
    drawn: int


@dataclass(frozen=True, eq=False)
class Onboarded:
    """What came of onboarding.

    Attributes:
        knowledge: What was learned; None where too little was measured.
        curve: How far it had come after each block, earlier attempts first.
        interrupted: Whether it was stopped from outside.
    """

    knowledge: Knowledge | None
    curve: Sequence[Point]
    interrupted: bool


@dataclass
class Onboarding:
    """One attempt at a request.

    Attributes:
        request: What is asked for.
        machine: What is onboarded.
        lenders: Known targets.
        learn: Learns from everything that is stored.
        on_point: Told how far it came after each block.
        clock: Tells seconds.
    """

    request: Request
    machine: Machine
    lenders: Sequence[Lender]
    learn: Callable[[], Lesson]
    on_point: Callable[[Point], None]
    clock: Callable[[], float] = time.monotonic
    _keys: Sequence[str] = field(default=(), init=False)
    """Workload keys of the pool."""
    _shares: dict[Part, float] = field(default_factory=dict, init=False)
    """Operators of the pool, and how much they matter."""

    def run(self) -> Onboarded:
        """Go on until the budget, the networks asked for or the pool are used up.

        Raises:
            RuntimeUnavailable: The runtime cannot be opened.
            MeasuringError: Nothing of the first block ran.
        """
        begun_s = self.clock() - self.machine.used_s()
        budget_s = self.request.budget_s * (1.0 - LEARNING_SHARE)
        curve = self.machine.points()
        for point in curve:
            self.on_point(point)
        calibration = self.machine.calibrate(budget_s - (self.clock() - begun_s))
        pool = make_pool(self._networks(), self.lenders)
        self._keys = [Workload(lower(network)).key for network in pool.networks]
        self._shares = operators_of(pool.networks, self.lenders)
        knowledge, interrupted, pace_s = None, False, UNKNOWN_PACE_S
        while not interrupted:
            remaining_s = budget_s - (self.clock() - begun_s)
            block = self._next(pool, remaining_s / pace_s)
            if not block.size:
                break
            started_s = self.clock()
            measured = self.machine.measure(block, calibration, budget_s=remaining_s)
            pace_s = (self.clock() - started_s) / _networks_worth(block)
            interrupted = measured.summary.interrupted
            knowledge, point = self._learned(begun_s)
            self.machine.finish(measured, point)
            _check_any_ran(measured.summary)
            curve.append(point)
            self.on_point(point)
        if knowledge is None:
            knowledge, _ = self._learned(begun_s)
        return Onboarded(knowledge, curve, interrupted)

    def _networks(self) -> Sequence[Architecture]:
        r = self.request
        space = SearchSpace(name=r.settings.space, depth=r.depth)
        return sample_structured(space, np.random.default_rng(r.seed), POOL, r.settings)

    def _next(self, pool: Pool, affordable: float) -> Block:
        """The next block, of what takes no longer than so many networks; empty if nothing more is to be measured."""
        statuses = self.machine.statuses()
        count = min(BLOCK, int(affordable))
        if self.request.networks is not None:
            count = min(count, self.request.networks - sum(statuses.get(key) == "ok" for key in self._keys))
        if count < 1:
            return Block(())
        tried = {position for position, key in enumerate(self._keys) if key in statuses}
        block = next_block(pool, tried, count, informed=self.request.picking == "informed")
        spare = int((affordable - count) / OPERATOR_PACE)
        operators = self._operators(statuses, LATER_OPERATORS if tried else FIRST_OPERATORS)
        return replace(block, operators=operators[: max(spare, 0)]) if block.size else block

    def _operators(self, statuses: Mapping[str, Status], count: int) -> Sequence[Part]:
        measured = [part for part in self._shares if Workload(lower_part(part)).key in statuses]
        if self.request.picking == "informed":
            return next_operators(self._shares, measured, count)
        free = [part for part in self._shares if part not in set(measured)]
        order = np.random.default_rng([self.request.seed, len(measured)]).permutation(len(free))[:count]
        return [free[position] for position in order]

    def _learned(self, begun_s: float) -> tuple[Knowledge | None, Point]:
        lesson = self.learn()
        point = Point(self.clock() - begun_s, lesson.operators, lesson.networks, lesson.drawn)
        if lesson.knowledge is None:
            return None, point
        error, intervals = lesson.knowledge.expected_error, lesson.knowledge.intervals
        if intervals.calibrated:
            width = float(np.expm1(intervals.overall))
            point = replace(point, half_width=width, coverage=intervals.coverage)
        return lesson.knowledge, point if error is None else replace(point, mape=error.mape)


def _networks_worth(block: Block) -> float:
    """Networks that take the time of a block."""
    return len(block.drawn) + len(block.chosen) + OPERATOR_PACE * len(block.operators)


def _check_any_ran(summary: ProfileSummary) -> None:
    """Refuse to go on where a whole block failed.

    Raises:
        MeasuringError: It did.
    """
    failed = sum(summary.failed.values())
    if failed and not summary.measured and not summary.unstable:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in summary.failed.items())
        raise MeasuringError(f"none of {failed} workloads ran: {reasons}")
