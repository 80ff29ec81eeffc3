"""Niches by branch count: survival and parents, so that one run has a front of one, two and three branches each.

A plain sort by rank loses the branch counts that are behind at first; here each keeps its part of the population.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pymoo.core.population import Population
from pymoo.core.survival import Survival
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from hyctas.architecture import Architecture
from search.evolution.branch_codes import below

Indices = npt.NDArray[np.intp]


class NicheSurvival(Survival):  # type: ignore[misc]
    """Keeps the best of each niche, in equal parts, then the best of what is left, whatever its niche.

    Best is who breaks limits least, then who has the lowest rank, then who has most room. Ranks count inside the niche
    for its part, overall for the rest. A niche where every network breaks a limit keeps its part: its members may come
    back within the limit.

    Args:
        share: Part of the population that is kept by niche, 0 to 1; each niche keeps one network at least.
    """

    def __init__(self, share: float) -> None:
        super().__init__(filter_infeasible=False)
        self._share = share
        self._ranking: Final = RankAndCrowding()

    def _do(
        self, problem: Any, pop: Any, *args: Any, n_survive: int, random_state: np.random.Generator, **kwargs: Any
    ) -> Any:
        niches = niche_members(pop)
        part = max(1, int(self._share * n_survive / len(niches)))
        kept: list[int] = []
        for members in niches.values():
            kept += members[self._best_first(problem, pop[members], random_state)[:part]].tolist()
        if len(kept) < n_survive:
            order = self._best_first(problem, pop, random_state).tolist()
            taken = set(kept)
            kept += [index for index in order if index not in taken][: n_survive - len(kept)]
        survivors = pop[sorted(kept[:n_survive])]
        for members in niche_members(survivors).values():
            self._best_first(problem, survivors[members], random_state)
        return survivors

    def _best_first(self, problem: Any, pop: Any, random_state: np.random.Generator) -> Indices:
        """Order of a population, best first; every member is told its rank and crowding distance in it."""
        pop.set("rank", 0, "crowding", 0.0)
        feasible = np.flatnonzero(pop.get("FEAS")[:, 0])
        if len(feasible):
            self._ranking.do(problem, pop[feasible], n_survive=len(feasible), random_state=random_state)
        violation, rank, crowding = pop.get("CV", "rank", "crowding")
        return np.lexsort((-crowding, rank, violation[:, 0]))


def niche_members(pop: Any) -> dict[int, Indices]:
    """Positions of the members of each niche that has any, by branch count."""
    counts = np.array([branch_count(individual) for individual in pop], dtype=np.intp)
    return {int(count): np.flatnonzero(counts == count) for count in np.unique(counts)}


def branch_count(individual: Any) -> int:
    """How many branches the architecture of an individual has."""
    architecture: Architecture = individual.X[0]
    return len(architecture.branches)


class Parents:
    """Draws parents from a population by binary tournaments inside niches.

    Args:
        pop: The population, ranked and with crowding distances inside niches.
        rng: Source of randomness.
    """

    def __init__(self, pop: Population, rng: np.random.Generator) -> None:
        self._rng = rng
        self._architectures: list[Architecture] = [individual.X[0] for individual in pop]
        violation, rank, crowding = pop.get("CV", "rank", "crowding")
        order = np.lexsort((rng.random(len(pop)), -crowding, rank, violation[:, 0]))
        self._places: list[int] = np.argsort(order).tolist()
        self._niches: list[list[int]] = [members.tolist() for members in niche_members(pop).values()]
        self._niche_of = {member: niche for niche, members in enumerate(self._niches) for member in members}

    def draw(self) -> tuple[Architecture, int]:
        """Draw a parent, of any niche in proportion to its members, and tell its niche."""
        niche = self._niche_of[below(self._rng, len(self._architectures))]
        return self.draw_from(niche), niche

    def draw_from(self, niche: int) -> Architecture:
        """Draw a parent from a niche: the better one of two."""
        members = self._niches[niche]
        first, second = members[below(self._rng, len(members))], members[below(self._rng, len(members))]
        return self._architectures[first if self._places[first] <= self._places[second] else second]

    def other_niche(self, niche: int) -> int:
        """Draw another niche; the same one if there is no other."""
        others = len(self._niches) - 1
        return (niche + 1 + below(self._rng, others)) % (others + 1) if others else niche
