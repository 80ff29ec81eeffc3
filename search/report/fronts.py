"""The fronts of a search as its records tell them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.evolution.front import fronts_by_branches, pareto_front
from search.report.evaluated import Evaluated, objectives


@dataclass(frozen=True, slots=True)
class Fronts:
    """Networks that nothing beats, by architecture key; each front in ascending latency on the first target.

    Attributes:
        overall: The front of all.
        by_branches: The front of the networks of each branch count.
        left: Networks that left every front when their mIoU was found with more care.
    """

    overall: tuple[str, ...]
    by_branches: Mapping[int, tuple[str, ...]]
    left: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """Each network of any front, once; those of the front of all first."""
        every = (self.overall, *self.by_branches.values())
        return tuple(dict.fromkeys(key for front in every for key in front))


def fronts_of(candidates: Sequence[Evaluated], limits_s: Sequence[float | None]) -> Fronts:
    """The fronts, in two steps as the search takes them.

    The mIoU of the search says which networks are on a front. Where the mIoU of these was found again with more care,
    that decides which of them stay: other candidates have no such mIoU to be compared with.
    """
    eligible = [found for found in candidates if found.eligible(limits_s)]
    first = _fronts(eligible, len(limits_s))
    members = [found for found in eligible if found.record.architecture_key in first.members]
    careful = _fronts([_at_most_careful(found) for found in members], len(limits_s))
    left = tuple(key for key in first.members if key not in careful.members)
    return dataclasses.replace(careful, left=left)


def front_on(candidates: Sequence[Evaluated], target: int, targets: int) -> tuple[str, ...]:
    """Keys of the candidates that nothing among them beats on mIoU and one target alone, in ascending latency."""
    points = objectives([_at_most_careful(found) for found in candidates], targets)[:, [0, 1 + target]]
    ordered = sorted(pareto_front(points), key=lambda index: (points[index, 1], index))
    return tuple(candidates[index].record.architecture_key for index in ordered)


def _fronts(eligible: Sequence[Evaluated], targets: int) -> Fronts:
    points = objectives(eligible, targets)
    keys = [found.record.architecture_key for found in eligible]

    def named(indices: Sequence[int]) -> tuple[str, ...]:
        return tuple(keys[index] for index in sorted(indices, key=lambda index: (points[index, 1], keys[index])))

    by_branches = fronts_by_branches([found.branches for found in eligible], points)
    return Fronts(
        overall=named(pareto_front(points).tolist()),
        by_branches={count: named(indices.tolist()) for count, indices in by_branches.items()},
    )


def _at_most_careful(found: Evaluated) -> Evaluated:
    """The candidate with objectives at the most careful mIoU that is known."""
    return dataclasses.replace(found, candidate=dataclasses.replace(found.candidate, miou=found.miou))
