"""Least squares whose weights never are negative: times add up, and none of them is below zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def non_negative_least_squares(design: Array, goal: Array) -> Array:
    """Weights of the columns of `design`, (rows, columns), that come closest to `goal`, (rows,).

    By active set (Lawson and Hanson, "Solving Least Squares Problems", 1974); where that cycles, by a trust region.
    """
    from scipy.optimize import lsq_linear, nnls

    try:
        return np.asarray(nnls(design, goal, maxiter=30 * design.shape[1])[0])
    except RuntimeError:
        return np.asarray(lsq_linear(design, goal, bounds=(0.0, np.inf), tol=1e-12).x)
