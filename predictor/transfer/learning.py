"""Learning a new target with the help of lenders.

What a part costs on the new target is a mixture of what it adds on the lenders (:mod:`predictor.transfer.mixture`).
From there on the target is learned like any other: the additive prior is shrunk towards the sum of those costs, so that
a few networks correct whole kinds of operators, and many networks correct everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from predictor.correction import Boosting, fit_correction
from predictor.part_table import COST_COLUMNS
from predictor.prior import AdditivePrior, fit_prior, fold_numbers
from predictor.transfer.lenders import Lending, additive_features
from predictor.transfer.mixture import fit_mixture

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STRENGTHS: Final = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Shrinkage towards the mixture to choose from, strongest first; see :func:`predictor.prior.fit_prior`."""
SHORTEST_SHARE: Final = 1e-3
"""A prediction of nothing counts as this share of what was measured, so that its logarithm is finite."""
_COSTS: Final = list(COST_COLUMNS)


@dataclass(frozen=True, eq=False)
class LentFeatures:
    """Additive features of networks as each lender sees them.

    Attributes:
        by_lender: (lenders, networks, columns); lenders differ in the columns of operator costs.
    """

    by_lender: Array

    @property
    def lent_s(self) -> Array:
        """Latency of each network by each lender in seconds, (networks, lenders)."""
        return np.asarray(self.by_lender[:, :, _COSTS].sum(axis=2).T)

    def mixed(self, weights: Array) -> Array:
        """Features under a mixture of the lenders' costs, (networks, columns)."""
        features: Array = self.by_lender[0].copy()
        features[:, _COSTS] = np.tensordot(weights, self.by_lender[:, :, _COSTS], axes=1)
        return features


def lent_features(lenders: Sequence[Lending], networks: Sequence[Architecture]) -> LentFeatures:
    """Features of networks by at least one lender."""
    return LentFeatures(np.stack([additive_features(lender, networks) for lender in lenders]))


@dataclass(frozen=True, eq=False)
class BorrowedLatency:
    """An additive latency learned on top of a mixture.

    Attributes:
        mixture: Weight of each lender.
        prior: Weights of features under that mixture.
        strength: The shrinkage that was chosen on left-out folds.
        left_out_s: Latency of each network as learned without its fold, in seconds; the choice is taken as given.
    """

    mixture: Array
    prior: AdditivePrior
    strength: float
    left_out_s: Array


def learn_borrowed(lent: LentFeatures, latency_s: Array, *, rng: np.random.Generator) -> BorrowedLatency:
    """Learn the latency of a target from its networks, at least two, and what lenders say of them.

    The mixture is fitted anew without each fold, so that a network that was left out was left out of everything.

    Args:
        lent: Features of the networks by each lender.
        latency_s: Measured, (networks,).
        rng: Draws folds.
    """
    strength = _choose_strength(_folds(lent, latency_s, rng), latency_s)
    mixture = fit_mixture(lent.lent_s, latency_s)
    prior = fit_prior(lent.mixed(mixture), latency_s, strength=strength)
    left_out_s = _left_out(_folds(lent, latency_s, rng), latency_s, strength)
    return BorrowedLatency(mixture, prior, strength, np.maximum(left_out_s, SHORTEST_SHARE * latency_s))


@dataclass(frozen=True, eq=False)
class _Fold:
    """Networks that are left out, and the features of all under the mixture of the rest."""

    left_out: Mask
    features: Array


def _folds(lent: LentFeatures, latency_s: Array, rng: np.random.Generator) -> list[_Fold]:
    numbers = np.asarray(fold_numbers(len(latency_s), rng))
    masks = [numbers == number for number in np.unique(numbers)]
    mixtures = [fit_mixture(lent.lent_s[~mask], latency_s[~mask]) for mask in masks]
    return [_Fold(mask, lent.mixed(mixture)) for mask, mixture in zip(masks, mixtures, strict=True)]


def _left_out(folds: Sequence[_Fold], latency_s: Array, strength: float) -> Array:
    """Latency of each network by a prior that has not seen its fold, in seconds."""
    predicted = np.empty_like(latency_s)
    for fold in folds:
        prior = fit_prior(fold.features[~fold.left_out], latency_s[~fold.left_out], strength=strength)
        predicted[fold.left_out] = prior.latency_s(fold.features[fold.left_out])
    return predicted


def _choose_strength(folds: Sequence[_Fold], latency_s: Array) -> float:
    """The strongest whose error is within one standard error of the smallest (Breiman et al., "CART", 1984).

    Errors of ten networks say little; the mixture alone is a good guess.
    """
    squared = [(_left_out(folds, latency_s, strength) / latency_s - 1.0) ** 2 for strength in STRENGTHS]
    errors = [float(error.mean()) for error in squared]
    best = int(np.argmin(errors))
    allowed = errors[best] + float(squared[best].std()) / np.sqrt(len(latency_s))
    return next(strength for strength, error in zip(STRENGTHS, errors, strict=True) if error <= allowed)


def left_out_factor(inputs: Array, log_ratio: Array, boosting: Boosting, *, rng: np.random.Generator) -> Array:
    """What a correction that has not seen a network's fold multiplies its latency by, (networks,)."""
    numbers = np.asarray(fold_numbers(len(log_ratio), rng))
    factor = np.empty_like(log_ratio)
    for number in np.unique(numbers):
        left_out = numbers == number
        correction = fit_correction(inputs[~left_out], log_ratio[~left_out], boosting)
        factor[left_out] = np.exp(correction.log_factor(inputs[left_out]))
    return factor
