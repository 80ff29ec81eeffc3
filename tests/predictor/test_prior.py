"""The additive prior: shrunk to the sum of operators, never negative, right where it can be."""

import numpy as np
import pytest

from predictor.part_table import COLUMNS, COST_COLUMNS
from predictor.prior import choose_prior, fit_prior, operator_sum, out_of_fold_prior


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    values = np.zeros((120, len(COLUMNS)))
    values[:, list(COST_COLUMNS[:4])] = rng.uniform(0.5, 2.0, (120, 4)) * 1e-3
    values[:, COST_COLUMNS[0] + 3] = rng.integers(1, 9, 120)
    return values


def true_latency(features):
    weights = operator_sum().weights.copy()
    weights[COST_COLUMNS[1]] = 1.4
    weights[COST_COLUMNS[0] + 3] = 5e-5
    return features @ weights


def test_great_strength_gives_the_operator_sum(features):
    prior = fit_prior(features, true_latency(features), strength=1e9)
    assert np.allclose(prior.latency_s(features), operator_sum().latency_s(features), rtol=1e-3)


def test_small_strength_recovers_what_a_network_adds(features):
    prior = fit_prior(features, true_latency(features), strength=1e-9)
    assert prior.weights[COST_COLUMNS[1]] == pytest.approx(1.4, rel=1e-3)
    assert prior.weights[COST_COLUMNS[0] + 3] == pytest.approx(5e-5, rel=1e-3)


def test_weights_are_never_negative(features):
    faster = true_latency(features) - 2e-4 * features[:, COST_COLUMNS[0] + 3] / 9
    assert (fit_prior(features, faster, strength=1e-9).weights >= 0).all()


def test_columns_that_never_occur_keep_what_the_operator_sum_says(features):
    prior = fit_prior(features, true_latency(features), strength=1e-4)
    assert prior.weights[COST_COLUMNS[10]] == 1.0


def test_strength_is_chosen_by_left_out_networks(features):
    rng = np.random.default_rng(1)
    exact = choose_prior(features, true_latency(features), rng=rng)
    noisy = choose_prior(features[:15], true_latency(features[:15]) * np.exp(0.3 * rng.standard_normal(15)), rng=rng)
    assert exact.strength < noisy.strength


def test_out_of_fold_prior_has_not_seen_the_network(features):
    latency = true_latency(features)
    latency[0] *= 10.0
    predicted = out_of_fold_prior(features, latency, strength=1e-4, folds=[0] + [1] * 119)
    assert predicted[0] == pytest.approx(latency[0] / 10.0, rel=0.05)


def test_a_row_alone_equals_itself_among_others(features):
    prior = fit_prior(features, true_latency(features), strength=1e-4)
    together = prior.latency_s(features)
    assert [prior.latency_s(features[i : i + 1])[0] for i in range(len(features))] == together.tolist()
