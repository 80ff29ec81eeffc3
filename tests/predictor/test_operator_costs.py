"""Operator costs: measured where measured, estimated elsewhere, and features that add up."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from hyctas.costs import costs
from hyctas.lowering import lower
from predictor.gaussian_process import GaussianProcess, fit_gaussian_process
from predictor.operator_costs import MIN_ROWS, learn_operator_costs
from predictor.part_features import FEATURES, part_features
from predictor.samples import OperatorSample
from predictor.training import network_features
from tests.predictor import synthetic


def test_measured_cost_is_kept_and_the_rest_is_estimated_closely():
    samples = synthetic.operators()
    known, unseen = samples[:300], samples[300:400]
    found = learn_operator_costs(known)
    assert found.cost(known[0].part).source == "measured"
    assert found.cost(known[0].part).cost_s == known[0].cost_s
    guesses = [found.cost(sample.part) for sample in unseen]
    assert {guess.source for guess in guesses} == {"estimated"}
    errors = [abs(g.cost_s / s.cost_s - 1) for g, s in zip(guesses, unseen, strict=True)]
    assert np.mean(errors) < 0.05


def test_too_few_operators_estimate_nothing():
    samples = synthetic.operators()
    found = learn_operator_costs(samples[: MIN_ROWS - 1])
    assert found.cost(samples[-1].part).source == "unknown"
    assert found.cost(samples[-1].part).cost_s == 0.0


@pytest.mark.parametrize(("marginal_s", "cost_s"), [(None, 1.0), (0.7, 0.7), (0.05, 1.0), (-0.2, 1.0), (3.0, 1.0)])
def test_implausible_marginal_latency_is_not_believed(marginal_s, cost_s):
    sample = synthetic.operators()[0]
    assert OperatorSample(sample.part, 1.0, marginal_s).cost_s == cost_s


def test_gaussian_process_predicts_what_scikit_learn_does():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 3))
    targets = np.sin(inputs[:, 0]) + 0.1 * inputs[:, 1]
    process = fit_gaussian_process(inputs, targets)
    again = GaussianProcess.from_arrays(process.arrays())
    assert (again.predict(inputs[:5]) == process.predict(inputs[:5])).all()
    kernel = ConstantKernel(process.amplitude, "fixed") * Matern(1.0, "fixed", nu=1.5)
    reference = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-6)
    reference.fit(process.inputs, rng.standard_normal(60))
    reference.alpha_ = process.coefficients
    unseen = rng.standard_normal((20, 3))
    standardised = (unseen - process.centre) / process.scale
    assert np.allclose(process.predict(unseen), reference.predict(standardised) + process.mean)
    assert np.abs(process.predict(inputs) - targets).max() < 0.05


def test_part_features_add_up_to_the_costs_of_the_network():
    sample = synthetic.networks(3, seed=4)
    names = ("conv_1x1_macs", "conv_3x3_macs", "matmul_macs")
    features = network_features("t", learn_operator_costs([]), [s.architecture for s in sample])
    from predictor.part_table import OVERALL

    columns = [features.shape[1] - len(OVERALL) + OVERALL.index(name) for name in names]
    for row, one in zip(features, sample, strict=True):
        assert row[columns].sum() * 1e9 == pytest.approx(costs(lower(one.architecture)).macs)


def test_part_features_are_counted_by_kind_of_node():
    part = next(s.part for s in synthetic.operators() if s.part.kind == "sa" and s.part.stride == 1)
    features = dict(zip(FEATURES, part_features(part), strict=True))
    assert features["matmul_macs"] > 0
    assert features["softmax_bytes"] > 0
    assert features["conv_3x3_macs"] == 0
