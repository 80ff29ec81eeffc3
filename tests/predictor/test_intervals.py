"""Conformal half-widths: the right rank, groups large enough, and the coverage they promise."""

import numpy as np
import pytest

from predictor.intervals import MIN_GROUP, UNCALIBRATED, calibrate_intervals, conformal_quantile, uncalibrated


@pytest.mark.parametrize(("count", "rank"), [(9, 9), (19, 18), (99, 90), (100, 91)])
def test_quantile_is_the_score_of_the_conformal_rank(count, rank):
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert conformal_quantile(scores, 0.9) == rank


@pytest.mark.parametrize("scores", [[], [0.01] * 8])
def test_too_few_scores_promise_nothing_narrow(scores):
    assert conformal_quantile(np.array(scores), 0.9) == UNCALIBRATED


def test_small_groups_take_the_width_of_all():
    scores = np.concatenate([np.full(MIN_GROUP, 0.1), np.full(MIN_GROUP - 1, 0.01)])
    found = calibrate_intervals(scores, [1] * MIN_GROUP + [2] * (MIN_GROUP - 1))
    assert found.half_width(1) == pytest.approx(0.1)
    assert found.half_width(2) == found.half_width(3) == found.overall == pytest.approx(0.1)
    assert found.networks == 2 * MIN_GROUP - 1


def test_coverage_is_kept_on_exchangeable_scores():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(400):
        scores = np.abs(rng.standard_t(3, size=60))
        held.append(np.abs(rng.standard_t(3, size=20)) <= conformal_quantile(scores, 0.9))
    assert 0.885 < np.mean(held) < 0.925


def test_before_any_network_an_interval_is_a_factor_of_two():
    assert np.exp(uncalibrated().half_width(2)) == pytest.approx(2.0)
