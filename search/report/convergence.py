"""How much of the space of objectives a search had covered after each generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from search.evolution.front import hypervolume, pareto_front
from search.report.evaluated import Evaluated, objectives

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GenerationVolume:
    """The archive after a generation.

    Attributes:
        generation: Its number.
        evaluated: Candidates that were scored by then, whatever came of it.
        overall: Hypervolume of the archive.
        by_branches: That of its networks of each branch count that occurs in the whole search.
    """

    generation: int
    evaluated: int
    overall: float
    by_branches: Mapping[int, float]


def convergence(
    candidates: Sequence[Evaluated], limits_s: Sequence[float | None], reference: Sequence[float]
) -> tuple[GenerationVolume, ...]:
    """Hypervolume after each generation, at the newest predictions and the mIoU that the search went by.

    Args:
        candidates: Everything that was scored.
        limits_s: The search's limits; what breaks one adds nothing.
        reference: Point (1 + targets) up to which hypervolume counts.
    """
    return tuple(_volumes(candidates, limits_s, np.array(reference, dtype=np.float64)))


def _volumes(
    candidates: Sequence[Evaluated], limits_s: Sequence[float | None], reference: Points
) -> Iterator[GenerationVolume]:
    ordered = sorted(candidates, key=lambda found: found.record.generation)
    counts = sorted({found.branches for found in ordered if found.eligible(limits_s)})
    fronts = {count: np.empty((0, len(reference))) for count in counts}
    scored = 0
    for generation, group in groupby(ordered, key=lambda found: found.record.generation):
        members = list(group)
        scored += len(members)
        for count in counts:
            new = [found for found in members if found.branches == count and found.eligible(limits_s)]
            fronts[count] = _undominated(fronts[count], objectives(new, len(limits_s)))
        everything = np.concatenate(list(fronts.values())) if fronts else np.empty((0, len(reference)))
        yield GenerationVolume(
            generation=generation,
            evaluated=scored,
            overall=hypervolume(everything, reference),
            by_branches={count: hypervolume(front, reference) for count, front in fronts.items()},
        )


def _undominated(front: Points, new: Points) -> Points:
    points: Points = np.concatenate([front, new])
    return points[pareto_front(points)]
