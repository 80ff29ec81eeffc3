"""Learning from a known law: better than baselines, honest about its error, the same every time."""

import numpy as np
import pytest

from hyctas.errors import InsufficientData
from predictor.evaluation import evaluate, evaluate_beside_baselines, repeated_splits
from predictor.learning import Choice
from predictor.model import Predictor
from predictor.samples import NetworkSample
from predictor.training import train
from tests.predictor import synthetic


def test_learned_law_is_as_good_as_its_noise_and_ahead_of_every_baseline(knowledge):
    training, unseen = synthetic.networks(120, seed=1), synthetic.networks(100, seed=2)
    found = evaluate_beside_baselines(knowledge, training, unseen)
    assert found.scores.mape < 2.5 * synthetic.NOISE
    assert found.scores.within_5 == 1.0
    assert found.coverage.holds
    assert set(found.baselines) == {"macs_only", "operator_sum", "one_hot_boosting"}
    assert all(scores.mape > 1.5 * found.scores.mape for scores in found.baselines.values())
    assert found.tiers["learned"] > 90


def test_expected_error_is_that_of_networks_left_out(knowledge):
    unseen = evaluate(Predictor(knowledge, "m"), synthetic.networks(100, seed=2))
    assert knowledge.expected_error is not None
    assert knowledge.expected_error.mape == pytest.approx(unseen.scores.mape, rel=0.5)
    assert knowledge.expected_error.networks == 120


def test_training_twice_gives_the_same(knowledge):
    again = train(synthetic.TARGET, synthetic.networks(120, seed=1), synthetic.operators())
    assert (again.latency.prior.weights == knowledge.latency.prior.weights).all()
    assert again.intervals == knowledge.intervals


def test_too_few_networks_are_refused_with_what_to_do():
    with pytest.raises(InsufficientData, match=r"3 measured networks and 0 operators.*hyctas profile networks"):
        train(synthetic.TARGET, synthetic.networks(3, seed=1), [])
    with pytest.raises(InsufficientData):
        train(synthetic.TARGET, [], [])


def test_operators_alone_make_an_additive_model():
    known = train(synthetic.TARGET, [], synthetic.operators())
    prediction = Predictor(known, "m").predict([synthetic.networks(1, seed=3)[0].architecture])[0]
    assert prediction.tier == "additive"
    assert prediction.expected_error is None
    assert prediction.high_s == pytest.approx(2 * prediction.latency_s)


def test_unmeasured_operators_are_estimated_and_named():
    known = train(synthetic.TARGET, [], synthetic.operators(share=0.5))
    sample = synthetic.networks(1, seed=3)[0]
    prediction = Predictor(known, "m").predict([sample.architecture])[0]
    assert prediction.tier == "estimated"
    assert prediction.unsupported
    complete = train(synthetic.TARGET, [], synthetic.operators())
    additive = Predictor(complete, "m").predict([sample.architecture])[0]
    assert prediction.latency_s == pytest.approx(additive.latency_s, rel=0.1)


def test_networks_without_operators_teach_enough():
    known = train(synthetic.TARGET, synthetic.networks(120, seed=1), [])
    assert evaluate(Predictor(known, "m"), synthetic.networks(60, seed=2)).scores.mape < 0.02


def test_chosen_networks_do_not_calibrate_intervals():
    chosen = [
        NetworkSample(s.architecture, s.latency_s * 1.2, calibrates=False) for s in synthetic.networks(40, seed=5)
    ]
    known = train(synthetic.TARGET, [*synthetic.networks(60, seed=1), *chosen], synthetic.operators())
    assert known.intervals.networks == 60
    assert known.expected_error is not None
    assert known.expected_error.networks == 60


def test_noise_alone_gets_no_correction(knowledge):
    assert knowledge.latency.correction is None


def test_what_the_prior_cannot_say_gets_a_correction():
    def bent(sample: NetworkSample) -> NetworkSample:
        heavy = sample.latency_s > np.median(latencies)
        return NetworkSample(sample.architecture, sample.latency_s * (1.3 if heavy else 1.0))

    straight = synthetic.networks(160, seed=1)
    latencies = [sample.latency_s for sample in straight]
    known = train(synthetic.TARGET, [bent(sample) for sample in straight], [])
    assert known.latency.correction is not None
    unseen = [bent(sample) for sample in synthetic.networks(80, seed=2)]
    without = Choice(float(known.facts["prior_strength"]), None)  # type: ignore[arg-type]
    assert without.boosting is None
    corrected = evaluate(Predictor(known, "m"), unseen).scores.mape
    features = Predictor(known, "m").features([sample.architecture for sample in unseen])
    plain = known.latency.prior.latency_s(features)
    measured = np.array([sample.latency_s for sample in unseen])
    assert corrected < 0.8 * float(np.abs(plain / measured - 1).mean())


def test_repeated_splits_give_a_mean_and_a_deviation_for_every_figure():
    bars = repeated_splits(synthetic.TARGET, synthetic.networks(60, seed=1), synthetic.operators(), splits=3)
    assert {"mape", "within_5", "within_10", "spearman", "pair_accuracy", "coverage", "mean_width"} <= set(bars)
    assert 0 < bars["mape"].deviation < bars["mape"].mean
