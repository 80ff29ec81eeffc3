"""The Gaussian process against scikit-learn's, and its storage."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from predictor import gaussian_process
from predictor.gaussian_process import GaussianProcess, fit_gaussian_process


@pytest.fixture(scope="module")
def data():
    inputs = np.random.default_rng(0).standard_normal((60, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, -1.0]
    return inputs, np.sin(inputs[:, 0]) + 0.1 * inputs[:, 1]


def test_prediction_is_that_of_scikit_learn_with_the_same_kernel(data):
    process = fit_gaussian_process(*data)
    kernel = ConstantKernel(process.amplitude, "fixed") * Matern(1.0, "fixed", nu=1.5)
    reference = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-6)
    reference.fit(process.inputs, np.zeros(len(process.inputs)))
    reference.alpha_ = process.coefficients
    unseen = np.random.default_rng(1).standard_normal((20, 3))
    standardised = (unseen - process.centre) / process.scale
    assert np.allclose(process.predict(unseen), reference.predict(standardised) + process.mean)


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
