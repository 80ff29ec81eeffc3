"""Acquisition: what is chosen teaches most, and the closed forms agree with plain linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.acquisition import (
    FACTOR_DEVIATION,
    Candidates,
    expected_shares,
    most_informative,
    posterior,
    variance_reduction,
)


def candidates(shares: list[list[float]], seconds: list[float] | None = None, noise: float = 0.05) -> Candidates:
    count = len(shares)
    return Candidates(np.array(shares), np.array(seconds or [1.0] * count), np.full(count, noise))


NOTHING = np.zeros((0, 2)), np.zeros(0)


def test_first_choice_tells_about_what_the_pool_is_made_of() -> None:
    pool = np.array([[0.9, 0.1]] * 5)
    shares, noise = NOTHING
    assert most_informative(candidates([[0, 1], [1, 0]]), pool, known=shares, known_noise=noise, count=1) == [1]


def test_what_is_known_is_not_chosen_again() -> None:
    pool = np.array([[0.6, 0.4]] * 5)
    known = np.array([[1.0, 0.0]])
    picked = most_informative(candidates([[1, 0], [0, 1]]), pool, known=known, known_noise=np.array([0.01]), count=1)
    assert picked == [1]


def test_second_choice_differs_from_the_first() -> None:
    pool = np.array([[0.5, 0.5]])
    shares, noise = NOTHING
    chosen = most_informative(candidates([[1, 0], [1, 0], [0, 1]]), pool, known=shares, known_noise=noise, count=2)
    assert sorted(chosen) == [0, 2]


def test_cheap_candidates_go_first_where_they_teach_the_same() -> None:
    pool = np.array([[0.5, 0.5]])
    shares, noise = NOTHING
    equal = candidates([[0.5, 0.5], [0.5, 0.5]], [3.0, 1.0])
    assert most_informative(equal, pool, known=shares, known_noise=noise, count=2) == [1, 0]


def test_more_than_there_are_gives_all_of_them() -> None:
    shares, noise = NOTHING
    assert len(most_informative(candidates([[1, 0]]), np.eye(2), known=shares, known_noise=noise, count=9)) == 1


def test_variance_reduction_is_what_measuring_takes_away() -> None:
    rng = np.random.default_rng(0)
    pool, known, new = rng.random((7, 3)), rng.random((4, 3)), rng.random((1, 3))
    noise = np.full(4, 0.1)
    before = posterior(known, noise)
    after = posterior(np.vstack([known, new]), np.append(noise, 0.1))
    expected = np.trace(pool @ before @ pool.T) - np.trace(pool @ after @ pool.T)
    found = variance_reduction(Candidates(new, np.ones(1), np.full(1, 0.1)), pool, before)
    assert found == pytest.approx([expected])


def test_posterior_of_nothing_is_the_prior() -> None:
    shares, noise = NOTHING
    assert posterior(shares, noise) == pytest.approx(np.eye(2) * FACTOR_DEVIATION**2)


def test_shares_sum_to_one() -> None:
    features = np.array([[1.0, 9.0, 3.0], [2.0, 9.0, 0.0]])
    assert expected_shares(features, (0, 2)) == pytest.approx(np.array([[0.25, 0.75], [1.0, 0.0]]))
