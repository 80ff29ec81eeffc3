"""What onboarding is asked for, what it measures in one go, and what it knows after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.parts import Part

Picking = Literal["informed", "random"]
"""What to measure next: what teaches most by second (and every third network at random), or anything."""

ARGUMENT: Final = "onboarding"
"""Under this name the arguments of a run say which onboarding it belongs to."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        settings: Size, base channels and the like of the networks.
        depth: Most cells of a branch.
        budget_s: Seconds of calibrating, measuring and learning, earlier attempts included.
        networks: Measured networks after which it ends early; None uses the budget.
        picking: How the next measurements are picked.
        seed: Equal seeds draw equal pools.
    """

    settings: ArchitectureDefaults
    depth: int
    budget_s: float
    networks: int | None = None
    picking: Picking = "informed"
    seed: int = 0

    @property
    def identity(self) -> Mapping[str, Any]:
        """What two attempts have in common if the second goes on with the first, as JSON."""
        return {
            "settings": dataclasses.asdict(self.settings),
            "depth": self.depth,
            "picking": self.picking,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """What is measured in one go.

    Attributes:
        drawn: Networks that chance picked: they calibrate intervals and tell the error.
        chosen: Networks that teach most: they are only learned from.
        operators: Operators that teach most.
    """

    drawn: Sequence[Architecture]
    chosen: Sequence[Architecture] = ()
    operators: Sequence[Part] = ()

    @property
    def size(self) -> int:
        """How many workloads that are."""
        return len(self.drawn) + len(self.chosen) + len(self.operators)


@dataclass(frozen=True, slots=True)
class Point:
    """How far onboarding had come after a block.

    Attributes:
        used_s: Seconds of the budget that were used.
        operators: Operators measured so far, with a stable result.
        networks: Networks likewise.
        drawn: Those of them that chance picked.
        mape: Mean absolute error of predictions of the drawn networks, each left out of what was learned, as a share;
            None before there are enough.
        half_width: Half-width of the interval as a share of the latency; None likewise.
        coverage: How often the interval is to hold the latency.
    """

    used_s: float
    operators: int
    networks: int
    drawn: int
    mape: float | None = None
    half_width: float | None = None
    coverage: float | None = None
