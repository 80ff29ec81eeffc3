"""The fronts of a search: the networks that nothing beats, among all and among those with equally many branches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.candidate import Candidate
from search.evolution.front import pareto_front


@dataclass(frozen=True, slots=True)
class Fronts:
    """Pareto fronts of what a search evaluated; each in ascending latency on the first target.

    Attributes:
        overall: The front of all.
        by_branches: The front of networks of each branch count.
    """

    overall: tuple[Candidate, ...]
    by_branches: Mapping[int, tuple[Candidate, ...]]

    @property
    def members(self) -> tuple[Candidate, ...]:
        """Each network of any front, once."""
        found = {c.architecture.key: c for c in self.overall}
        found |= {c.architecture.key: c for front in self.by_branches.values() for c in front}
        return tuple(sorted(found.values(), key=lambda c: c.latency_s))


def fronts_of(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> Fronts:
    """The fronts among candidates that were evaluated and keep to the limits."""
    eligible = [c for c in candidates if c.miou is not None and c.within(limits_s)]
    counts = sorted({len(c.architecture.branches) for c in eligible})
    return Fronts(
        overall=_front(eligible, limits_s),
        by_branches={
            count: _front([c for c in eligible if len(c.architecture.branches) == count], limits_s) for count in counts
        },
    )


def minimised(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> np.ndarray:
    """Objectives (candidates, 1 + targets) of those that were evaluated and keep to the limits."""
    scores = [c.score(limits_s) for c in candidates if c.miou is not None and c.within(limits_s)]
    return np.array([score.minimised for score in scores], dtype=np.float64).reshape(len(scores), 1 + len(limits_s))


def replaced_quality(candidates: Sequence[Candidate], miou: Mapping[str, float]) -> list[Candidate]:
    """Candidates with their mIoU replaced where a better one is known."""
    return [dataclasses.replace(c, miou=miou.get(c.architecture.key, c.miou)) for c in candidates]


def _front(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> tuple[Candidate, ...]:
    if not candidates:
        return ()
    chosen = [candidates[index] for index in pareto_front(minimised(candidates, limits_s))]
    return tuple(sorted(chosen, key=lambda c: c.latency_s))
