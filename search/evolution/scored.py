"""What evolution knows of an architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hyctas.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Score:
    """Objectives and constraints of one architecture; all smaller is better.

    Attributes:
        minimised: 1 - mIoU, then log latency on each target; infinite where the evaluation failed.
        violations: For each target that has a limit, log of latency over limit; positive where it is broken.
    """

    minimised: tuple[float, ...]
    violations: tuple[float, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether an objective is not a number that can be compared: the evaluation failed."""
        return not all(map(math.isfinite, self.minimised))

    @property
    def violation(self) -> float:
        """How far limits are broken, summed; infinite where the evaluation failed, 0 where nothing is wrong."""
        if self.failed or any(map(math.isnan, self.violations)):
            return math.inf
        return sum(violation for violation in self.violations if violation > 0)

    @property
    def feasible(self) -> bool:
        """Whether the evaluation succeeded and no limit is broken."""
        return self.violation == 0


Evaluate = Callable[[Sequence[Architecture]], Sequence[Score]]
"""Scores architectures, in their order."""
