"""Scores with known values, on ties, single networks and nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, spearmanr

from predictor.metrics import coverage, pair_accuracy, score, spearman

LATENCIES = st.lists(st.floats(1e-4, 10.0), min_size=2, max_size=30)


def test_known_errors_are_scored():
    found = score(np.array([1.04, 0.92, 1.2, 1.0]), np.ones(4))
    assert found.mape == pytest.approx((0.04 + 0.08 + 0.2) / 4)
    assert (found.within_5, found.within_10, found.networks) == (0.5, 0.75, 4)
    assert found.bias == pytest.approx(0.04)


def test_nothing_and_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="0 predictions for 0"):
        score(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="1 predictions for 2"):
        score(np.ones(1), np.ones(2))


def test_pairs_are_close_ones_only_and_a_predicted_tie_counts_half():
    measured = np.array([1.0, 1.1, 2.0])
    assert pair_accuracy(np.array([1.0, 1.2, 0.1]), measured) == 1.0
    assert pair_accuracy(np.array([1.2, 1.0, 9.0]), measured) == 0.0
    assert pair_accuracy(np.array([1.0, 1.0, 9.0]), measured) == 0.5
    assert math.isnan(pair_accuracy(np.array([1.0, 2.0]), np.array([1.0, 2.0])))


def test_rank_correlation_of_nothing_to_rank_is_nan():
    assert math.isnan(spearman(np.array([1.0]), np.array([2.0])))
    assert math.isnan(spearman(np.ones(3), np.array([1.0, 2.0, 3.0])))


@given(LATENCIES, st.integers(0, 2**16))
def test_rank_correlation_is_scipys(values, seed):
    a = np.array(values)
    b = np.round(np.random.default_rng(seed).permutation(a), 1)
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)


@pytest.mark.parametrize("hits", [0, 1, 27, 29, 30])
def test_coverage_has_the_exact_binomial_interval(hits):
    measured = np.where(np.arange(30) < hits, 1.0, 3.0)
    found = coverage(np.full(30, 0.9), np.full(30, 1.1), np.ones(30), measured, nominal=0.9)
    exact = binomtest(hits, 30).proportion_ci(0.95, method="exact")
    assert found.share == hits / 30
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.mean_width == pytest.approx(0.2)
    assert found.holds == (hits in (27, 29, 30))
