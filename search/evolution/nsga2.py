"""NSGA-II (Deb et al. 2002) by pymoo, on architectures, with niches by branch count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination

from hyctas.architecture import ArchitectureDefaults
from hyctas.space import SearchSpace
from search.evolution.generations import Generations
from search.evolution.niches import NicheSurvival, Parents
from search.evolution.population import Collection
from search.evolution.scored import Score
from search.evolution.settings import EvolutionSettings
from search.evolution.strict_json import number, number_from
from search.evolution.variation import child_of


class Nsga2(Generations):
    """NSGA-II; pymoo is asked for children and told their objectives, and keeps the population.

    Args:
        space: Where the architectures belong.
        settings: Their settings.
        evolution: How candidates are varied and kept.
        rng: Source of all randomness.
    """

    name: ClassVar = "nsga2"

    def __init__(
        self,
        space: SearchSpace,
        settings: ArchitectureDefaults,
        evolution: EvolutionSettings,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(space, settings, evolution, rng)
        self._mating = _Mating(space, evolution)
        self._pymoo = self._engine()

    def _engine(self) -> Any:
        """An NSGA-II of pymoo before its first generation, which draws from our source of randomness."""
        engine = NSGA2(
            pop_size=self._evolution.population,
            n_offsprings=self._evolution.per_generation,
            survival=NicheSurvival(self._evolution.niche_share),
            mating=self._mating,
            output=None,
        )
        engine.setup(Problem(n_var=1, n_obj=2, n_ieq_constr=1, vtype=object), termination=NoTermination())
        engine.random_state = self._rng
        return engine

    def _vary(self, found: Collection, count: int) -> None:
        self._mating.found, self._mating.count = found, count
        self._pymoo.ask()
        self._pymoo.termination.force_termination = False  # pymoo sets it where no child is new

    def _advance(self, told: range) -> None:
        self._pymoo.tell(infills=self._as_population(told))

    def _choose_again(self) -> None:
        if self._generation:
            everything = self._as_population(range(len(self._archive)))
            size = self._evolution.population
            engine = self._pymoo
            engine.pop = engine.survival.do(engine.problem, everything, n_survive=size, random_state=self._rng)

    def _members(self) -> Sequence[int]:
        return [individual.get("place") for individual in self._pymoo.pop] if self._generation else []

    def _own_state(self) -> dict[str, Any]:
        pop = self._pymoo.pop if self._generation else ()
        return {
            "n_iter": self._pymoo.n_iter,
            "population": [
                {"place": one.get("place"), "rank": int(one.get("rank")), "crowding": number(one.get("crowding"))}
                for one in pop
            ],
        }

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        self._pymoo = self._engine()
        if not self._generation:
            return
        members = state["population"]
        pop = self._as_population([int(member["place"]) for member in members])
        pop.set("rank", [int(member["rank"]) for member in members])
        pop.set("crowding", [number_from(member["crowding"]) for member in members])
        self._pymoo.pop = pop
        self._pymoo.n_iter = int(state["n_iter"])
        self._pymoo.is_initialized = True

    def _as_population(self, places: Sequence[int]) -> Any:
        """Members of the archive as a population of pymoo."""
        members = [self._archive[place] for place in places]
        variables = np.empty((len(members), 1), dtype=object)
        variables[:, 0] = [architecture for architecture, _ in members]
        scores = [score for _, score in members]
        objectives = np.array([score.minimised for score in scores], dtype=np.float64)
        constraints = np.array([_constraints(score) for score in scores], dtype=np.float64)
        return Population.new(X=variables, F=objectives, G=constraints, place=list(places))


def _constraints(score: Score) -> tuple[float, ...]:
    """Violations and one more constraint, which an evaluation that failed breaks infinitely."""
    broken = np.isinf(score.violation)
    return (*(np.nan_to_num(score.violations, nan=0.0) if broken else score.violations), np.inf if broken else -1.0)


class _Mating:
    """Stands in for pymoo's mating: fills a collection with children of the population."""

    def __init__(self, space: SearchSpace, settings: EvolutionSettings) -> None:
        self._space = space
        self._settings = settings
        self.found: Collection | None = None
        self.count = 0

    def do(self, problem: Any, pop: Any, n_offsprings: int, *, random_state: np.random.Generator, **kwargs: Any) -> Any:
        """What pymoo calls for a generation's children."""
        assert self.found is not None
        parents = Parents(pop, random_state)
        self.found.add_proposed(lambda: child_of(parents, self._space, self._settings, random_state), self.count)
        children = np.empty((len(self.found), 1), dtype=object)
        children[:, 0] = self.found.architectures
        return Population.new(X=children)
