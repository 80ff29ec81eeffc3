"""The tree evaluator against XGBoost itself."""

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from hyctas.errors import ArtifactError
from predictor.trees import parse_trees


def boosted(rounds: int, depth: int, seed: int = 0) -> tuple[xgboost.Booster, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((200, 6))
    target = np.where(inputs[:, 0] > 0, inputs[:, 1], -inputs[:, 2]) + 0.1 * rng.standard_normal(200)
    settings = {"max_depth": depth, "base_score": 0.0, "nthread": 1, "min_child_weight": 5}
    data = xgboost.DMatrix(inputs.astype(np.float32), label=target)
    return xgboost.train(settings, data, num_boost_round=rounds), inputs


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 1000))
def test_trees_equal_xgboost(rounds, depth, seed):
    booster, inputs = boosted(rounds, depth, seed)
    expected = booster.predict(xgboost.DMatrix(inputs.astype(np.float32)))
    found = parse_trees(bytes(booster.save_raw("json"))).predict(inputs)
    assert np.allclose(found, expected, atol=1e-5)


def test_a_row_alone_equals_itself_among_others():
    booster, inputs = boosted(100, 4)
    trees = parse_trees(bytes(booster.save_raw("json")))
    together = trees.predict(inputs)
    assert [trees.predict(inputs[i : i + 1])[0] for i in range(len(inputs))] == together.tolist()


def test_thresholds_are_exact():
    booster, inputs = boosted(30, 3)
    trees = parse_trees(bytes(booster.save_raw("json")))
    used = np.isfinite(trees.thresholds)
    for feature, threshold in zip(trees.features[used], trees.thresholds[used], strict=True):
        row = inputs[:1].copy()
        row[0, feature] = threshold
        expected = booster.predict(xgboost.DMatrix(row.astype(np.float32)))
        assert trees.predict(row) == pytest.approx(expected, abs=1e-5)


def test_trees_without_a_split_are_constants():
    data = xgboost.DMatrix(np.zeros((20, 2), np.float32), label=np.ones(20))
    booster = xgboost.train({"base_score": 0.0, "nthread": 1}, data, num_boost_round=3)
    found = parse_trees(bytes(booster.save_raw("json"))).predict(np.zeros((4, 2)))
    assert np.allclose(found, booster.predict(data)[0], atol=1e-6)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"learner": 3}', b"\xff"])
def test_what_is_no_booster_is_refused(data):
    with pytest.raises(ArtifactError, match="not a booster"):
        parse_trees(data)


def test_trees_without_rows_or_trees_give_nothing():
    booster, inputs = boosted(3, 2)
    assert parse_trees(bytes(booster.save_raw("json"))).predict(inputs[:0]).shape == (0,)
    no_trees = b'{"learner": {"gradient_booster": {"model": {"trees": []}}}}'
    assert parse_trees(no_trees).predict(inputs).tolist() == [0.0] * len(inputs)


def test_rows_that_do_not_lie_side_by_side_in_memory_are_read_right():
    booster, inputs = boosted(10, 3)
    trees = parse_trees(bytes(booster.save_raw("json")))
    assert (trees.predict(np.asfortranarray(inputs)[::2]) == trees.predict(inputs)[::2]).all()
