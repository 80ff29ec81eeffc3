"""Non-negative least squares: optimal by its own conditions, also where the active set cycles."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.non_negative import non_negative_least_squares


def problem(rows, columns, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, columns)), rng.standard_normal(rows)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 10_000))
def test_no_weight_is_negative_and_none_could_be_better(rows, columns, seed):
    design, goal = problem(rows, columns, seed)
    weights = non_negative_least_squares(design, goal)
    gradient = design.T @ (design @ weights - goal)
    assert (weights >= 0.0).all()
    assert (gradient > -1e-7).all()
    assert gradient[weights > 1e-9] == pytest.approx(0.0, abs=1e-6)


def test_weights_that_made_the_goal_are_found():
    design, _ = problem(30, 5, seed=1)
    expected = np.array([0.0, 1.0, 2.5, 0.0, 0.3])
    assert non_negative_least_squares(design, design @ expected) == pytest.approx(expected, abs=1e-9)


def test_trust_region_takes_over_where_the_active_set_cycles(monkeypatch):
    design, goal = problem(30, 5, seed=2)
    expected = non_negative_least_squares(design, goal)

    def cycling(*arguments, **options):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(scipy.optimize, "nnls", cycling)
    assert non_negative_least_squares(design, goal) == pytest.approx(expected, abs=1e-5)
