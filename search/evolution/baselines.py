"""What NSGA-II has to beat under the same budget: random search, local search, single-objective evolution.

All take their next generation from the archive alone, so they keep no state beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from search.evolution.branch_codes import Codes, below, codes_of
from search.evolution.front import pareto_front
from search.evolution.generations import Generations
from search.evolution.mutation import mutated_codes, several_mutations
from search.evolution.population import Collection

TOURNAMENT: Final = 5
"""Members of a tournament of single-objective evolution."""


class _FromArchive(Generations):
    """An algorithm whose population follows from the archive."""

    def _advance(self, told: range) -> None:
        """Nothing to do."""

    def _choose_again(self) -> None:
        """Nothing to do."""

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def _front(self) -> Sequence[int]:
        """Positions of the front; of what breaks limits least where everything breaks some."""
        front: list[int] = pareto_front(self._archive.minimised()).tolist()
        if front or not len(self._archive):
            return front
        violations = np.array([score.violation for score in self._archive.scores])
        return [int(place) for place in np.flatnonzero(violations == violations.min())]


class RandomSearch(_FromArchive):
    """Structured samples, generation by generation; every generation is stratified anew."""

    name: ClassVar = "random"

    def _vary(self, found: Collection, count: int) -> None:
        found.add_samples(self._space, self._rng, count)

    def _members(self) -> Sequence[int]:
        return self._front()


class LocalSearch(_FromArchive):
    """Pareto local search (Paquete et al. 2004): neighbours, one mutation away, of members of the front."""

    name: ClassVar = "local"

    def _vary(self, found: Collection, count: int) -> None:
        centres = [codes_of(self._archive[place][0]) for place in self._front()]
        mix = self._evolution.mix
        found.add_proposed(
            lambda: mutated_codes(self._space, centres[below(self._rng, len(centres))], self._rng, mix), count
        )

    def _members(self) -> Sequence[int]:
        return self._front()


class SingleObjective(_FromArchive):
    """Regularised evolution (Real et al. 2019): the youngest are the population, the best of a few is the parent.

    With latency limits, best is who breaks them least and then has the highest mIoU. Without, every parent is chosen
    by weights of its own, so that the whole front is aimed at: by the largest weighted distance to the best value of
    any objective, in shares of its span (Chebyshev).
    """

    name: ClassVar = "single"

    def _vary(self, found: Collection, count: int) -> None:
        members = self._members()
        scores = [self._archive[place][1] for place in members]
        codes = [codes_of(self._archive[place][0]) for place in members]
        violation = np.array([score.violation for score in scores])
        shares = _shares_of_span(np.array([score.minimised for score in scores]))
        limited = bool(scores[0].violations)
        found.add_proposed(lambda: self._child(codes, violation, shares, limited=limited), count)

    def _child(
        self,
        codes: Sequence[Codes],
        violation: npt.NDArray[np.float64],
        shares: npt.NDArray[np.float64],
        *,
        limited: bool,
    ) -> Codes:
        chosen = self._rng.integers(len(codes), size=min(TOURNAMENT, len(codes)))
        weights = np.eye(shares.shape[1])[0] if limited else self._rng.dirichlet(np.ones(shares.shape[1]))
        order = np.lexsort(((weights * shares[chosen]).max(axis=1), violation[chosen]))
        best, evolution = codes[chosen[order[0]]], self._evolution
        return several_mutations(self._space, best, self._rng, evolution.mix, further=evolution.further_mutation)

    def _members(self) -> Sequence[int]:
        return range(max(0, len(self._archive) - self._evolution.population), len(self._archive))


def _shares_of_span(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Every objective from 0, the best, to 1, the worst of the points that are finite; 1 for the others."""
    finite = np.isfinite(points).all(axis=1)
    shares = np.ones_like(points)
    if finite.any():
        best = points[finite].min(axis=0)
        span = points[finite].max(axis=0) - best
        shares[finite] = (points[finite] - best) / np.where(span > 0, span, 1.0)
    return shares
