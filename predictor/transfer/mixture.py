"""How much of each lender a new target is made of.

Latencies on the new target are a sum of what the lenders say, with weights that never are negative. They are shrunk
towards a scaled copy of the one lender whose proportions fit best, so that a few networks are enough.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from predictor.non_negative import non_negative_least_squares

Array = npt.NDArray[np.float64]

STRENGTHS: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Shrinkage strengths to choose from, per network and unit of relative contribution."""
MIN_CHOOSING: Final = 4
"""With fewer networks nothing is chosen: the scaled copy it is."""


def fit_mixture(lent_s: Array, latency_s: Array) -> Array:
    """Weights of lenders, fitted with the strength whose predictions of left-out networks are closest.

    Args:
        lent_s: Latency of each network by each lender, (networks, lenders), at least one of both.
        latency_s: Measured on the new target, (networks,).
    """
    if len(latency_s) < MIN_CHOOSING:
        return scaled_copy(lent_s, latency_s)
    errors = [_left_out_error(lent_s, latency_s, strength) for strength in STRENGTHS]
    return _fit(lent_s, latency_s, STRENGTHS[int(np.argmin(errors))])


def scaled_copy(lent_s: Array, latency_s: Array) -> Array:
    """The lender whose latencies are most nearly proportional to the measured ones, scaled; others weigh nothing."""
    log_ratio = np.log(latency_s[:, None] / lent_s)
    scale, spread = np.exp(log_ratio.mean(axis=0)), log_ratio.std(axis=0)
    best = int(np.argmin(spread))
    weights = np.zeros(lent_s.shape[1])
    weights[best] = scale[best]
    return weights


def _fit(lent_s: Array, latency_s: Array, strength: float) -> Array:
    relative = lent_s / latency_s[:, None]
    start = scaled_copy(lent_s, latency_s)
    penalty = np.diag(np.sqrt(strength * len(latency_s)) * np.sqrt((relative**2).mean(axis=0)))
    design = np.vstack([relative, penalty])
    return non_negative_least_squares(design, np.concatenate([np.ones(len(latency_s)), penalty @ start]))


def _left_out_error(lent_s: Array, latency_s: Array, strength: float) -> float:
    """Mean squared relative error on each network as predicted without it."""
    errors = []
    for left_out in range(len(latency_s)):
        rest = np.arange(len(latency_s)) != left_out
        weights = _fit(lent_s[rest], latency_s[rest], strength)
        errors.append(float(lent_s[left_out] @ weights) / latency_s[left_out] - 1.0)
    return float(np.mean(np.square(errors)))
