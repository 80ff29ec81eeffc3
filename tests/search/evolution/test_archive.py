"""The archive: order, duplicates, new scores, and back from JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import CheckpointMismatch
from search.evolution.archive import Archive
from search.evolution.identity import graph_identity
from search.evolution.scored import Score
from search.evolution.strict_json import number, number_from, random_state, restore_random_state
from tests.search.evolution.strategies import NETWORKS, SPACES, generator, with_trunks

TREES = tuple(with_trunks(SPACES[0], seed) for seed in range(4))
INF, NAN = math.inf, math.nan


def filled() -> Archive:
    archive = Archive(NETWORKS)
    scores = (Score((0.5, -3.25)), Score((INF, INF)), Score((0.1, -1.0), ()), Score((0.2, -2.0)))
    for tree, score in zip(TREES, scores, strict=True):
        archive.add(tree, score)
    return archive


def test_first_score_of_a_network_stays() -> None:
    archive = filled()
    archive.add(TREES[0], Score((9.0, 9.0)))
    assert len(archive) == 4 and archive[0] == (TREES[0], Score((0.5, -3.25)))
    assert archive.place(graph_identity(TREES[2])) == 2
    assert archive.place(b"another") is None


def test_archive_comes_back_from_strict_json() -> None:
    archive = filled()
    back = Archive.from_state(NETWORKS, json.loads(json.dumps(archive.state(), allow_nan=False)))
    assert [back[index] for index in range(4)] == [archive[index] for index in range(4)]
    assert back.state() == archive.state()


def test_points_of_failures_and_broken_limits_are_infinite() -> None:
    archive = Archive(NETWORKS)
    scores = (Score((1.0, 2.0), (-0.1,)), Score((1.0, 2.0), (0.1,)), Score((NAN, 2.0), (-1.0,)))
    for tree, score in zip(TREES[:3], scores, strict=True):
        archive.add(tree, score)
    assert archive.minimised().tolist() == [[1.0, 2.0], [INF, INF], [INF, INF]]
    assert Archive(NETWORKS).minimised().shape == (0, 1)


def test_new_scores_replace_by_key_and_leave_the_others() -> None:
    archive = filled()
    archive.rescore({TREES[1].key: Score((0.0, 0.0)), "unknown": Score((7.0, 7.0))})
    assert archive.scores[1] == Score((0.0, 0.0)) and archive.scores[0] == Score((0.5, -3.25))


@pytest.mark.parametrize(
    ("score", "failed", "violation"),
    [
        (Score((0.1, 0.2)), False, 0.0),
        (Score((0.1, 0.2), (-1.0, -2.0)), False, 0.0),
        (Score((0.1, 0.2), (0.5, -9.0)), False, 0.5),
        (Score((0.1, 0.2), (0.5, 0.25)), False, 0.75),
        (Score((0.1, INF)), True, INF),
        (Score((NAN, 0.2), (-1.0,)), True, INF),
        (Score((0.1, 0.2), (NAN,)), False, INF),
    ],
)
def test_violation_of_score(score: Score, failed: bool, violation: float) -> None:
    assert (score.failed, score.violation, score.feasible) == (failed, violation, violation == 0.0)


@given(st.floats())
def test_every_float_comes_back_from_strict_json(value: float) -> None:
    back = number_from(json.loads(json.dumps(number(value), allow_nan=False)))
    assert np.array(back).tobytes() == np.array(value).tobytes() or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize("value", [None, True, "much", [1.0], "Infinity"])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(CheckpointMismatch, match="expected a number"):
        number_from(value)


def test_generator_goes_on_from_strict_json() -> None:
    rng, other = generator(3), generator(4)
    rng.integers(2**32, dtype=np.uint32, size=3)
    restore_random_state(other, json.loads(json.dumps(random_state(rng))))
    draws = [(g.integers(2**32, dtype=np.uint32), g.random(), g.normal()) for g in (rng, other)]
    assert draws[0] == draws[1]


@pytest.mark.parametrize("state", [None, {}, {"state": {"state": "x"}}, {"bit_generator": "MT19937", "state": {}}])
def test_state_of_another_generator_is_refused(state: object) -> None:
    with pytest.raises(CheckpointMismatch, match="PCG64"):
        restore_random_state(generator(0), state)
