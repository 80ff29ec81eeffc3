"""The correction: nothing where nothing is left to learn, a help where something is."""

import numpy as np
import pytest

from hyctas.errors import ArtifactError
from predictor.correction import MIN_NETWORKS, Boosting, Correction, choose_boosting, correction_inputs, fit_correction
from predictor.part_features import KINDS
from predictor.prior import fit_prior
from predictor.training import network_features
from tests.predictor import synthetic

SETTING = Boosting(rounds=100, depth=2, seed=0)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(0).standard_normal((200, 8))


def step(inputs):
    """A log-ratio that no sum can say: 20 % more on one side of a threshold, with little noise."""
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(inputs))
    return np.where(inputs[:, 2] > 0.3, 0.2, 0.0) + noise


def test_noise_gets_no_correction(inputs):
    noise = 0.02 * np.random.default_rng(3).standard_normal(len(inputs))
    assert choose_boosting(inputs, noise, rng=np.random.default_rng(0)) is None


def test_nothing_left_gets_no_correction(inputs):
    assert choose_boosting(inputs, np.zeros(len(inputs)), rng=np.random.default_rng(0)) is None


def test_few_networks_get_no_correction(inputs):
    few = inputs[: MIN_NETWORKS - 1]
    assert choose_boosting(few, step(few), rng=np.random.default_rng(0)) is None


def test_what_is_left_is_learned_for_networks_left_out(inputs):
    log_ratio = step(inputs)
    chosen = choose_boosting(inputs[:150], log_ratio[:150], rng=np.random.default_rng(0))
    assert chosen is not None
    correction = fit_correction(inputs[:150], log_ratio[:150], chosen)
    remaining = log_ratio[150:] - correction.log_factor(inputs[150:])
    assert (remaining**2).mean() < 0.2 * (log_ratio[150:] ** 2).mean()


def test_choice_and_fit_repeat(inputs):
    log_ratio = step(inputs)
    chosen = [choose_boosting(inputs, log_ratio, rng=np.random.default_rng(7)) for _ in range(2)]
    assert chosen[0] == chosen[1]
    first, second = (fit_correction(inputs, log_ratio, SETTING) for _ in range(2))
    assert first.booster == second.booster


def test_stored_booster_gives_the_same_bit_for_bit(inputs):
    correction = fit_correction(inputs, step(inputs), SETTING)
    again = Correction.from_booster(correction.booster)
    assert (again.log_factor(inputs) == correction.log_factor(inputs)).all()
    with pytest.raises(ArtifactError, match="not a booster"):
        Correction.from_booster(correction.booster[:-40])


def test_trees_see_shares_by_kind_that_are_at_most_the_whole(knowledge):
    networks = synthetic.networks(20, seed=6)
    features = network_features("t", knowledge.costs, [sample.architecture for sample in networks])
    prior = fit_prior(features, np.array([sample.latency_s for sample in networks]), strength=1e-2)
    seen = correction_inputs(features, prior)
    assert np.exp(seen[:, 0]) == pytest.approx(prior.latency_s(features))
    shares, counts = seen[:, 1 : 1 + len(KINDS)], seen[:, 1 + len(KINDS) : 1 + 2 * len(KINDS)]
    assert (shares >= 0.0).all()
    assert (shares.sum(axis=1) <= 1.0 + 1e-9).all()
    cells = [sum(counts[row, : KINDS.index("sa") + 1]) for row in range(len(networks))]
    assert all(count >= 6 for count in cells)
    assert (counts == np.round(counts)).all()
