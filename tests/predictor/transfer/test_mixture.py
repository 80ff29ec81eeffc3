"""Mixtures of lenders: exact where they can be, a scaled copy where little is known."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.transfer.mixture import fit_mixture, scaled_copy


def lent(networks: int, lenders: int, *, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(-4.0, 0.7, (networks, lenders)))


def test_scaled_copy_takes_the_lender_whose_proportions_fit() -> None:
    lent_s = lent(12, 3)
    assert scaled_copy(lent_s, 2.5 * lent_s[:, 1]) == pytest.approx([0.0, 2.5, 0.0])


def test_mixture_finds_the_weights_of_a_sum_of_two_lenders() -> None:
    lent_s = lent(40, 3)
    assert fit_mixture(lent_s, 0.7 * lent_s[:, 0] + 1.8 * lent_s[:, 2]) == pytest.approx([0.7, 0.0, 1.8], abs=0.02)


def test_mixture_never_weighs_a_lender_negatively() -> None:
    lent_s = lent(20, 4)
    opposed_s = lent_s[:, 0] / lent_s[:, 1] * 0.01
    assert (fit_mixture(lent_s, opposed_s) >= 0.0).all()


def test_mixture_of_three_networks_is_a_scaled_copy() -> None:
    lent_s = lent(3, 2)
    latency_s = lent_s.sum(axis=1)
    assert fit_mixture(lent_s, latency_s) == pytest.approx(scaled_copy(lent_s, latency_s))


def test_noise_does_not_make_a_mixture_of_a_scaled_copy() -> None:
    lent_s = lent(10, 3, seed=5)
    noise = np.exp(0.02 * np.random.default_rng(6).standard_normal(10))
    weights = fit_mixture(lent_s, 1.5 * lent_s[:, 0] * noise)
    predicted = lent(200, 3, seed=7) @ weights
    assert np.abs(predicted / (1.5 * lent(200, 3, seed=7)[:, 0]) - 1.0).mean() < 0.05
