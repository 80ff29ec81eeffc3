"""The additive prior: a latency as a sum over parts, with weights that never are negative.

Non-negative least squares on relative errors, shrunk towards the plain sum of operator costs. With little data the
prior is that sum; with more it learns what a network adds to it (layout changes, fusion, caches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from predictor.non_negative import non_negative_least_squares
from predictor.part_table import COLUMNS, COST_COLUMNS

Array = npt.NDArray[np.float64]

STRENGTHS: Final = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
"""Shrinkage strengths to choose from, per training row and unit of relative contribution."""
FOLDS: Final = 10


@dataclass(frozen=True, eq=False)
class AdditivePrior:
    """Weights of a part's columns: the dot product is what the part adds, in seconds.

    Attributes:
        weights: One a column, not negative.
        strength: The shrinkage that was chosen; infinite for the plain sum of operator costs.
    """

    weights: Array
    strength: float

    def latency_s(self, features: Array) -> Array:
        """Latencies of networks, (rows, columns) to (rows,)."""
        return np.asarray((features * self.weights).sum(axis=1))


def operator_sum() -> AdditivePrior:
    """The plain sum of operator costs: the prior before any network is measured."""
    weights = np.zeros(len(COLUMNS))
    weights[list(COST_COLUMNS)] = 1.0
    return AdditivePrior(weights, float("inf"))


def fit_prior(features: Array, latency_s: Array, *, strength: float) -> AdditivePrior:
    """Fit weights to measured networks.

    Minimises the mean squared relative error plus ``strength`` times the squared deviation of each
    column's mean relative contribution from what the plain sum of operator costs says.

    Args:
        features: (networks, columns).
        latency_s: (networks,).
        strength: How hard to shrink.
    """
    relative = features / latency_s[:, None]
    contribution = np.sqrt((relative**2).mean(axis=0))
    used = contribution > 0.0
    start = operator_sum().weights
    penalty = np.diag(np.sqrt(strength * len(latency_s)) * contribution[used])
    design = np.vstack([relative[:, used], penalty])
    goal = np.concatenate([np.ones(len(latency_s)), penalty @ start[used]])
    weights = start.copy()
    weights[used] = non_negative_least_squares(design, goal)
    return AdditivePrior(weights, strength)


def choose_prior(features: Array, latency_s: Array, *, rng: np.random.Generator) -> AdditivePrior:
    """Fit with the strength whose predictions on left-out folds have the smallest mean squared relative error."""
    errors = [
        _relative_error(out_of_fold_prior(features, latency_s, strength=strength, folds=folds), latency_s)
        for folds in [fold_numbers(len(latency_s), rng)]
        for strength in STRENGTHS
    ]
    return fit_prior(features, latency_s, strength=STRENGTHS[int(np.argmin(errors))])


def out_of_fold_prior(features: Array, latency_s: Array, *, strength: float, folds: Sequence[int]) -> Array:
    """Latency of each network by a prior that has not seen its fold."""
    predicted = np.empty_like(latency_s)
    numbers = np.asarray(folds)
    for fold in np.unique(numbers):
        left_out = numbers == fold
        prior = fit_prior(features[~left_out], latency_s[~left_out], strength=strength)
        predicted[left_out] = prior.latency_s(features[left_out])
    return predicted


def fold_numbers(count: int, rng: np.random.Generator) -> list[int]:
    """A random fold for each of `count` rows, folds of equal size."""
    return [int(number) for number in rng.permutation(np.arange(count) % min(FOLDS, count))]


def _relative_error(predicted: Array, latency_s: Array) -> float:
    return float(((predicted / latency_s - 1.0) ** 2).mean())
