"""The Gaussian process against scikit-learn's, and its storage."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from predictor import gaussian_process
from predictor.gaussian_process import GaussianProcess, KernelPart, fit_gaussian_process


@pytest.fixture(scope="module")
def data():
    inputs = np.random.default_rng(0).standard_normal((60, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, -1.0]
    return inputs, np.sin(inputs[:, 0]) + 0.1 * inputs[:, 1]


def test_prediction_is_that_of_scikit_learn_with_the_same_kernel(data):
    process = fit_gaussian_process(*data)
    (component,) = process.components
    kernel = ConstantKernel(component.amplitude, "fixed") * Matern(component.scales, "fixed", nu=1.5)
    reference = GaussianProcessRegressor(kernel, optimizer=None, alpha=process.noise)
    inputs, targets = data
    unseen = np.random.default_rng(1).standard_normal((20, 3))
    reference.fit((inputs - process.centre) / process.spread, targets - process.mean)
    expected = reference.predict((unseen - process.centre) / process.spread) + process.mean
    assert np.allclose(process.predict(unseen), expected, atol=1e-5)


def test_slope_of_the_evidence_is_that_of_its_value(data):
    evidence = gaussian_process._Evidence(*data, (KernelPart((0, 2), "5/2"), KernelPart((0, 1, 2), "3/2")))
    point = evidence.expected() + np.random.default_rng(2).uniform(-0.5, 0.5, len(evidence.expected()))
    found = approx_fprime(point, lambda there: evidence(there)[0], 1e-6)
    assert np.allclose(evidence(point)[1], found, atol=1e-3)


def test_input_that_does_not_matter_gets_a_long_scale(data):
    inputs, targets = data
    noise = np.random.default_rng(3).standard_normal((len(targets), 1))
    (component,) = fit_gaussian_process(np.hstack([inputs, noise]), targets).components
    assert component.scales[3] > 5 * component.scales[0]


def test_components_read_their_columns_only(data):
    process = fit_gaussian_process(*data, (KernelPart((0,), "5/2"), KernelPart((1, 2), "3/2")))
    assert [np.isfinite(c.scales).tolist() for c in process.components] == [[True, False, False], [False, True, True]]
    assert np.abs(process.predict(data[0]) - data[1]).max() < 0.1


def test_one_row_or_equal_targets_are_fitted(data):
    inputs, _ = data
    assert fit_gaussian_process(inputs[:1], np.array([2.0])).predict(inputs[:1])[0] == pytest.approx(2.0)
    flat = fit_gaussian_process(inputs, np.full(len(inputs), 3.0))
    assert flat.predict(inputs + 1.0) == pytest.approx(np.full(len(inputs), 3.0))


def test_a_row_alone_is_predicted_as_among_others(data):
    process = fit_gaussian_process(*data)
    alone = [process.predict(row[None])[0] for row in data[0]]
    assert process.predict(data[0]).tolist() == pytest.approx(alone, rel=1e-12)


def test_smooth_function_is_interpolated(data):
    inputs, targets = data
    assert np.abs(fit_gaussian_process(inputs, targets).predict(inputs) - targets).max() < 0.05


def test_far_from_every_row_the_mean_is_predicted(data):
    process = fit_gaussian_process(*data)
    assert process.predict(np.full((1, 3), 1e6))[0] == pytest.approx(data[1].mean())


def test_column_without_spread_does_not_matter(data):
    inputs, targets = data
    wider = np.column_stack([inputs, np.full(len(inputs), 7.0)])
    assert np.allclose(fit_gaussian_process(wider, targets).predict(wider), targets, atol=0.05)


def test_only_so_many_rows_are_kept_and_tuned_on(data, monkeypatch):
    monkeypatch.setattr(gaussian_process, "MAX_ROWS", 40)
    monkeypatch.setattr(gaussian_process, "MAX_TUNING_ROWS", 25)
    process = fit_gaussian_process(*data)
    assert process.inputs.shape == (40, 3)
    assert np.abs(process.predict(data[0]) - data[1]).mean() < 0.2


def test_arrays_restore_the_process_bit_for_bit(data):
    process = fit_gaussian_process(*data)
    again = GaussianProcess.from_arrays(process.arrays())
    assert (again.predict(data[0]) == process.predict(data[0])).all()
