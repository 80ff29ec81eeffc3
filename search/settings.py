"""What a search is told to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hyctas.errors import InvalidInput
from search.evolution.algorithms import ALGORITHMS, AlgorithmName

LEAST: Final = {"population": 4, "evaluations": 1, "seed": 0, "recalibration_batches": 1, "final_batches": 1}
"""The smallest value of each number."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What one search is told to do, apart from where supernet, server and database are.

    Attributes:
        targets: Full names; each is an objective.
        limits_s: For each target the latency that a network may have at most, or None.
        algorithm: How candidates are chosen.
        population: Candidates that are kept from one generation to the next.
        evaluations: Candidates to score before the search ends.
        seed: Draws everything.
        recalibration_batches: Batches that a candidate's batch norms are recalibrated on.
        final_batches: The same for the networks of the front, whose mIoU is evaluated once more.
        images: Validation images for a candidate, evenly spread; None takes all. The front is evaluated on all.

    Raises:
        InvalidInput: A number is too small, the algorithm unknown, or there is not one limit for each target.
    """

    targets: tuple[str, ...]
    limits_s: tuple[float | None, ...]
    algorithm: AlgorithmName = "nsga2"
    population: int = 24
    evaluations: int = 240
    seed: int = 0
    recalibration_batches: int = 5
    final_batches: int = 20
    images: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be searched."""
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise InvalidInput("targets", self.targets, "at least one target, each once")
        if len(self.limits_s) != len(self.targets):
            raise InvalidInput(
                "limits_s", self.limits_s, f"one limit, or none, for each of {len(self.targets)} targets"
            )
        for limit_s in self.limits_s:
            if limit_s is not None and not 0 < limit_s < math.inf:
                raise InvalidInput("limits_s", limit_s, "finite seconds above 0")
        if self.algorithm not in ALGORITHMS:
            raise InvalidInput("algorithm", self.algorithm, f"one of {', '.join(ALGORITHMS)}")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise InvalidInput(name, getattr(self, name), f"at least {least}")
        if self.images is not None and self.images < 1:
            raise InvalidInput("images", self.images, "at least 1, or none for all")
