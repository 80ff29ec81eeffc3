"""NSGA-II: niches live on, limits come first, failures lose, and fronts advance."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from hyctas.errors import InvalidInput
from hyctas.space import SearchSpace
from search.evolution.algorithms import EvolutionSettings, algorithm
from search.evolution.front import hypervolume, pareto_front, reference_point
from search.evolution.nsga2 import Nsga2
from search.evolution.scored import Score
from tests.search.evolution.objective import evolve, scored
from tests.search.evolution.strategies import NETWORKS, generator

SPACE = SearchSpace(depth=6, min_cells=2)


def started(population: int = 12, offspring: int = 12, **settings: float) -> Nsga2:
    """A search that keeps two of twelve for each branch count, unless told otherwise."""
    chosen = {"population": population, "offspring": offspring, "niche_share": 0.5, **settings}
    return Nsga2(SPACE, NETWORKS, EvolutionSettings(**chosen), generator(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("favourite", [1, 2, 3])
def test_no_niche_dies_although_one_is_better_in_everything(favourite: int) -> None:
    searching = started()
    for _ in range(30):
        evolve(searching, 1, favourite=favourite)
        niches = Counter(len(architecture.branches) for architecture, _ in searching.population)
        assert set(niches) == {1, 2, 3} and min(niches.values()) >= 2
    assert niches[favourite] == 12 - 2 * 2


def test_without_niches_the_worse_branch_counts_die() -> None:
    searching = started(niche_share=0.0)
    evolve(searching, 10, favourite=2)
    counts = Counter(len(architecture.branches) for architecture, _ in searching.population)
    assert counts[2] == 12 - 2


def test_front_of_every_branch_count_stays_in_the_population() -> None:
    searching, asked = started(population=60), []
    for _ in range(5):
        asked += evolve(searching, 1)
    kept = {architecture for architecture, _ in searching.population}
    for branches in (1, 2, 3):
        niche = [architecture for architecture in asked if len(architecture.branches) == branches]
        points = np.array([score.minimised for score in scored(niche)])
        front = [niche[index] for index in pareto_front(points)]
        assert len(front) > 12 or set(front) <= kept


def test_networks_within_the_limit_come_first_in_each_niche() -> None:
    searching = started()
    asked = evolve(searching, 8, limit=30.0)
    scores = dict(zip(asked, scored(asked, limit=30.0), strict=True))
    for branches in (1, 2, 3):
        feasible = [a for a in asked if len(a.branches) == branches and scores[a].feasible]
        kept = [(a, s) for a, s in searching.population if len(a.branches) == branches]
        broken = [score for _, score in kept if not score.feasible]
        assert len(kept) - len(broken) >= min(2, len(feasible))
        if not feasible:
            least = min(scores[a].violation for a in asked if len(a.branches) == branches)
            assert min(score.violation for score in broken) == least


@pytest.mark.parametrize(
    "failure", [Score((math.inf, math.inf), (-1.0,)), Score((math.nan, 1.0), (-1.0,)), Score((1.0, 1.0), (math.nan,))]
)
def test_failure_loses_against_everything_finite(failure: Score) -> None:
    searching = started()
    asked = searching.ask()
    failed = {next(a for a in asked if len(a.branches) == branches) for branches in (1, 2, 3)}
    searching.tell(asked, [failure if a in failed else Score((9.0, 9.0), (5.0,)) for a in asked])
    assert failed < set(dict(searching.population))
    asked = searching.ask()
    searching.tell(asked, [Score((99.0, 99.0), (6.0,))] * len(asked))
    assert not failed & set(dict(searching.population))


def test_hypervolume_grows_faster_than_by_random_search() -> None:
    finals = {}
    for name in ("nsga2", "random"):
        searching = algorithm(name, SPACE, NETWORKS, EvolutionSettings(population=12), generator(3))
        asked = evolve(searching, 1)
        reference = reference_point([score.minimised for score in scored(asked)])
        asked += evolve(searching, 24)
        finals[name] = hypervolume([score.minimised for score in scored(asked)], reference)
    assert finals["nsga2"] > finals["random"]


def test_first_generation_and_others_have_the_sizes_of_the_settings() -> None:
    searching = started(population=10, first=24, offspring=7)
    sizes = [len(evolve(searching, 1)) for _ in range(3)]
    assert sizes == [24, 7, 7]
    assert len(searching.population) == 10


def test_new_scores_bring_back_what_was_dropped() -> None:
    searching = started()
    asked = evolve(searching, 6)
    dropped = next(a for a in asked if a not in dict(searching.population))
    searching.rescore({dropped.key: Score((-1.0, -1.0))})
    assert dict(searching.population)[dropped] == Score((-1.0, -1.0))
    assert len(evolve(searching, 2)) == 24


@pytest.mark.parametrize(
    ("name", "value"),
    [("population", 2), ("offspring", 0), ("first", 0), ("crossover", 1.1), ("further_mutation", 1.0), ("tree", -0.1)],
)
def test_impossible_setting_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=name):
        EvolutionSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("population", "evaluations", "samples"),
    [(24, 240, 80), (24, 3000, 96), (24, 30, 24), (24, 10, 10), (24, 1, 1)],
)
def test_first_generation_suits_the_budget(population: int, evaluations: int, samples: int) -> None:
    assert EvolutionSettings.for_budget(population, evaluations).samples == samples


def test_unknown_algorithm_is_refused_with_the_choices() -> None:
    with pytest.raises(InvalidInput, match="nsga2, random, local, single"):
        algorithm("annealing", SPACE, NETWORKS, EvolutionSettings(), generator(0))  # type: ignore[arg-type]
