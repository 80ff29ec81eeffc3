"""An objective that is worked out from the codes of branches, with what real ones have: failures, limits, targets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hyctas.architecture import Architecture
from search.evolution.algorithm import Algorithm
from search.evolution.scored import Score


def scored(
    architectures: Sequence[Architecture],
    *,
    targets: int = 1,
    limit: float | None = None,
    failing: int = 0,
    favourite: int | None = None,
) -> list[Score]:
    """Score architectures.

    Args:
        architectures: What to score.
        targets: Latency objectives.
        limit: Latency that every target allows at most.
        failing: How many architectures of 100, by their key, fail.
        favourite: A branch count that is better than any other in everything.
    """
    return [
        _score(architecture, targets=targets, limit=limit, failing=failing, favourite=favourite)
        for architecture in architectures
    ]


def _score(a: Architecture, *, targets: int, limit: float | None, failing: int, favourite: int | None) -> Score:
    cells = [cell for branch in a.branches for cell in branch.code]
    malus = 0.0 if favourite in (None, len(a.branches)) else 10.0
    error = malus + 1.0 / (1.0 + sum(cell >> 4 for cell in cells)) + 0.01 * (int(a.key[:4], 16) / 2**16)
    sums = [sum((cell & 14) + 1 + position * (cell >> 4) for cell in cells) for position in range(targets)]
    latency = [math.exp(malus) * total for total in sums]
    violations = () if limit is None else tuple(math.log(value / limit) for value in latency)
    if int(a.key[-4:], 16) % 100 < failing:
        return Score((math.inf,) * (1 + targets), violations)
    return Score((error, *map(math.log, latency)), violations)


def evolve(algorithm: Algorithm, generations: int, **objective: int | float | None) -> list[Architecture]:
    """Run generations; return what was asked in them, in order."""
    asked: list[Architecture] = []
    for _ in range(generations):
        candidates = algorithm.ask()
        algorithm.tell(candidates, scored(candidates, **objective))  # type: ignore[arg-type]
        asked += candidates
    return asked
