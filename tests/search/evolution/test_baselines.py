"""What each baseline proposes, and what it takes it from."""

from __future__ import annotations

import math

import numpy as np

from hyctas.space import SearchSpace
from search.evolution.algorithms import EvolutionSettings
from search.evolution.baselines import LocalSearch, RandomSearch, SingleObjective
from search.evolution.branch_codes import codes_of
from search.evolution.front import hypervolume, pareto_front
from search.evolution.mutation import MutationMix
from search.evolution.scored import Score
from tests.search.evolution.objective import evolve, scored
from tests.search.evolution.strategies import NETWORKS, generator

SPACE = SearchSpace(depth=6, min_cells=2)
ONE_CELL = MutationMix(**dict.fromkeys(MutationMix().weights, 0.0) | {"operator": 1.0, "width": 1.0})


def test_random_search_does_not_look_at_scores() -> None:
    settings = EvolutionSettings(population=6, offspring=6)
    good, bad = (RandomSearch(SPACE, NETWORKS, settings, generator(0)) for _ in range(2))
    for _ in range(3):
        asked = good.ask()
        assert bad.ask() == asked
        good.tell(asked, [Score((0.0, 0.0))] * 6)
        bad.tell(asked, [Score((math.inf, math.inf))] * 6)


def test_population_of_random_and_local_search_is_the_front() -> None:
    for kind in (RandomSearch, LocalSearch):
        searching = kind(SPACE, NETWORKS, EvolutionSettings(population=8), generator(1))
        asked = evolve(searching, 4, limit=30.0, failing=20)
        scores = scored(asked, limit=30.0, failing=20)
        points = [score.minimised if score.feasible else (math.inf,) * 2 for score in scores]
        assert [a for a, _ in searching.population] == [asked[index] for index in pareto_front(points)]


def test_local_search_without_anything_feasible_starts_from_the_least_violation() -> None:
    searching = LocalSearch(SPACE, NETWORKS, EvolutionSettings(population=8), generator(1))
    asked = evolve(searching, 2, limit=0.1)
    scores = scored(asked, limit=0.1)
    best = min(range(len(asked)), key=lambda index: scores[index].violation)
    assert asked[best] in dict(searching.population)


def test_local_search_proposes_neighbours_of_the_front() -> None:
    searching = LocalSearch(SPACE, NETWORKS, EvolutionSettings(population=8, mix=ONE_CELL), generator(2))
    evolve(searching, 2)
    centres = [codes_of(architecture) for architecture, _ in searching.population]
    for architecture in searching.ask():
        assert any(changed_cells(codes_of(architecture), centre) == 1 for centre in centres)


def changed_cells(first: tuple[bytes, ...], second: tuple[bytes, ...]) -> int | None:
    """Positions at which branches of equal lengths differ; None if the lengths do."""
    if list(map(len, first)) != list(map(len, second)):
        return None
    pairs = zip(first, second, strict=True)
    return len({i for own, other in pairs for i, (a, b) in enumerate(zip(own, other, strict=True)) if a != b})


def test_single_objective_evolution_forgets_the_old() -> None:
    searching = SingleObjective(SPACE, NETWORKS, EvolutionSettings(population=10, offspring=4), generator(0))
    asked = evolve(searching, 5)
    assert [architecture for architecture, _ in searching.population] == asked[-10:]


def test_single_objective_evolution_under_a_limit_raises_miou_only() -> None:
    searching = SingleObjective(SPACE, NETWORKS, EvolutionSettings(population=20, offspring=10), generator(0))
    asked = evolve(searching, 15, limit=30.0)
    scores = scored(asked, limit=30.0)
    late = [score for score in scores[-40:] if score.feasible]
    assert len(late) > len([score for score in scores[:40] if score.feasible])
    first = [score.minimised[0] for score in scores[:20] if score.feasible]
    assert np.mean([score.minimised[0] for score in late]) < np.mean(first)


def test_single_objective_evolution_without_limits_aims_at_the_whole_front() -> None:
    searching = SingleObjective(SPACE, NETWORKS, EvolutionSettings(population=20, offspring=20), generator(0))
    asked = evolve(searching, 15)
    points = np.array([score.minimised for score in scored(asked)])
    assert hypervolume(points[-100:], points.max(axis=0)) > hypervolume(points[:100], points.max(axis=0))
