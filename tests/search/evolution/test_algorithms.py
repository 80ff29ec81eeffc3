"""What every algorithm must do, run against all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch, InvalidInput, SearchError
from hyctas.space import SearchSpace
from search.evolution.algorithm import Algorithm
from search.evolution.algorithms import ALGORITHMS, AlgorithmName, EvolutionSettings, algorithm
from search.evolution.identity import graph_identity
from search.evolution.scored import Score
from tests.search.evolution.objective import evolve, scored
from tests.search.evolution.strategies import NETWORKS, generator

SPACE = SearchSpace(depth=6, min_cells=2)
FEW = SearchSpace(depth=3, min_cells=2, operators=("conv",), widths=(4, 12), max_branches=2)
SETTINGS = EvolutionSettings(population=12, offspring=12)

pytestmark = pytest.mark.parametrize("name", ALGORITHMS)


def started(name: AlgorithmName, *, seed: int = 0, space: SearchSpace = SPACE) -> Algorithm:
    return algorithm(name, space, NETWORKS, SETTINGS, generator(seed))


def test_asks_for_new_members_of_the_space_only(name: AlgorithmName) -> None:
    asked = evolve(started(name), 6)
    assert len(asked) == 6 * 12
    assert all(map(SPACE.contains, asked))
    assert len(set(map(graph_identity, asked))) == len(asked)
    assert {len(architecture.branches) for architecture in asked} == {1, 2, 3}


def test_asks_the_same_until_it_is_told(name: AlgorithmName) -> None:
    searching = started(name)
    evolve(searching, 2)
    asked = searching.ask()
    assert searching.ask() == asked
    assert searching.generation == 2
    searching.tell(asked, scored(asked))
    assert searching.generation == 3
    assert not set(searching.ask()) & set(asked)


@pytest.mark.parametrize("generations", [0, 2])
def test_asks_for_no_more_than_may_be_scored(name: AlgorithmName, generations: int) -> None:
    searching = started(name)
    evolve(searching, generations)
    asked = searching.ask(5)
    assert len(asked) == 5
    searching.tell(asked, scored(asked))
    assert len(searching.ask(99)) == 12


def test_order_of_what_is_told_does_not_matter(name: AlgorithmName) -> None:
    forwards, backwards = started(name), started(name)
    asked = forwards.ask()
    forwards.tell(asked, scored(asked))
    backwards.ask()
    backwards.tell(asked[::-1], scored(asked[::-1]))
    assert forwards.state() == backwards.state()


def test_same_seed_gives_the_same_search_and_another_another(name: AlgorithmName) -> None:
    assert evolve(started(name), 4) == evolve(started(name), 4)
    assert evolve(started(name), 4) != evolve(started(name, seed=1), 4)


@pytest.mark.parametrize("objective", [{}, {"targets": 2, "limit": 30.0, "failing": 30}])
def test_resumed_run_is_the_undisturbed_run(name: AlgorithmName, objective: dict[str, float]) -> None:
    undisturbed, killed, resumed = started(name), started(name), started(name, seed=99)
    expected = evolve(undisturbed, 6, **objective)
    before = evolve(killed, 3, **objective)
    text = json.dumps(killed.state(), allow_nan=False)
    resumed.restore(json.loads(text))
    assert json.dumps(resumed.state(), allow_nan=False) == text
    assert resumed.population == killed.population
    assert before + evolve(resumed, 3, **objective) == expected
    assert resumed.state() == undisturbed.state()


def test_run_killed_between_asking_and_telling_asks_the_same_again(name: AlgorithmName) -> None:
    searching, resumed = started(name), started(name, seed=5)
    evolve(searching, 2)
    asked = searching.ask()
    resumed.restore(json.loads(json.dumps(searching.state())))
    assert resumed.ask() == asked
    assert evolve(resumed, 2) == evolve(searching, 2)


def test_resumed_run_is_the_undisturbed_run_in_another_process(name: AlgorithmName, root: Path) -> None:
    undisturbed, killed = started(name), started(name)
    expected = evolve(undisturbed, 4)
    evolve(killed, 2)
    script = (
        "import json, sys\n"
        "from tests.search.evolution.objective import evolve\n"
        "from tests.search.evolution.test_algorithms import started\n"
        f"searching = started({name!r}, seed=7)\n"
        "searching.restore(json.load(sys.stdin))\n"
        "print(json.dumps([architecture.key for architecture in evolve(searching, 2)]))\n"
    )
    text = json.dumps(killed.state())
    done = subprocess.run([sys.executable, "-c", script], input=text, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [architecture.key for architecture in expected[24:]]


def test_small_space_is_used_up_and_then_over(name: AlgorithmName) -> None:
    searching = started(name, space=FEW)
    asked: list[Architecture] = []
    while not searching.exhausted:
        candidates = searching.ask()
        searching.tell(candidates, scored(candidates))
        asked += candidates
        assert searching.generation < 300
    assert len(set(asked)) == len(asked) == FEW.cardinality
    assert searching.ask() == ()
    searching.tell((), ())
    resumed = started(name, space=FEW)
    resumed.restore(json.loads(json.dumps(searching.state())))
    assert resumed.exhausted


@pytest.mark.parametrize("objective", [{"limit": 0.001}, {"failing": 100}, {"failing": 100, "limit": 0.001}])
def test_nothing_but_broken_limits_or_failures_goes_on(name: AlgorithmName, objective: dict[str, float]) -> None:
    searching = started(name)
    assert len(set(evolve(searching, 4, **objective))) == 4 * 12
    assert len(searching.population) >= 1
    json.dumps(searching.state(), allow_nan=False)


def test_three_objectives_and_more_are_searched(name: AlgorithmName) -> None:
    searching = started(name)
    evolve(searching, 3, targets=3)
    assert {len(score.minimised) for _, score in searching.population} == {4}


def test_told_what_was_not_asked_is_refused(name: AlgorithmName) -> None:
    searching = started(name)
    asked = searching.ask()
    with pytest.raises(SearchError, match="told 11 architectures that are not the 12"):
        searching.tell(asked[1:], scored(asked[1:]))
    with pytest.raises(SearchError, match="equally many"):
        searching.tell(asked, [*scored(asked[1:]), Score((0.5, 0.5, 0.5))])
    searching.tell(asked, scored(asked))
    assert searching.generation == 1


def test_new_scores_change_the_population(name: AlgorithmName) -> None:
    searching = started(name)
    asked = evolve(searching, 3)
    best = asked[7]
    scores = {architecture.key: Score((1.0, 1.0)) for architecture in asked}
    searching.rescore(scores | {best.key: Score((0.0, 0.0))})
    found = dict(searching.population)
    if name != "single":  # its population are the youngest, whatever their scores
        assert found[best] == Score((0.0, 0.0))
    assert all(score == Score((1.0, 1.0)) for architecture, score in found.items() if architecture != best)


def test_rescoring_before_the_first_generation_does_nothing(name: AlgorithmName) -> None:
    searching = started(name)
    searching.rescore({})
    assert searching.population == () and len(searching.ask()) == 12


def test_state_of_another_search_is_refused(name: AlgorithmName) -> None:
    searching, other = started(name), started(name, space=FEW)
    evolve(searching, 1)
    with pytest.raises(CheckpointMismatch, match="a state with space"):
        other.restore(searching.state())
    with pytest.raises(CheckpointMismatch, match="a state with algorithm 'annealing'"):
        searching.restore(searching.state() | {"algorithm": "annealing"})


@pytest.mark.parametrize(
    "damage",
    [
        {"archive": [{"branches": ["zz"], "minimised": [0.0], "violations": []}]},
        {"archive": [{"branches": ["10"], "minimised": ["much"], "violations": []}]},
        {"random": {"bit_generator": "MT19937"}},
        {"asked": None},
        {"own": None},
    ],
)
def test_damaged_state_is_refused(name: AlgorithmName, damage: dict[str, object]) -> None:
    searching = started(name)
    evolve(searching, 1)
    if name != "nsga2" and "own" in damage:
        damage = {"generation": "first"}
    with pytest.raises(CheckpointMismatch):
        started(name).restore(searching.state() | damage)


def test_generator_that_does_not_fit_into_a_state_is_refused(name: AlgorithmName) -> None:
    searching = algorithm(name, SPACE, NETWORKS, SETTINGS, np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(InvalidInput, match="PCG64"):
        searching.state()
