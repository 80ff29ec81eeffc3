"""A law of operator costs: so many seconds for each multiply-accumulate, byte and node, none of them negative.

It says little that is exact, but it holds at sizes far from the measured ones, where a smooth interpolation knows
nothing. So it is the mean of the process that estimates unmeasured operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.parts import Part
from predictor.non_negative import non_negative_least_squares
from predictor.part_features import FEATURES, KINDS, part_features

Array = npt.NDArray[np.float64]

STRENGTH: Final = 1e-2
"""Shrinkage of the terms of a single kind towards nothing, per row and unit of relative contribution."""
COMMON_STRENGTH: Final = 1e-4
"""The same of the terms that all kinds share."""
FLOOR_S: Final = 1e-7
"""No operator costs less: keeps the logarithm finite."""

_PER_KIND: Final = 3
"""Terms of a single kind: multiply-accumulates, bytes, one for each part."""
_GIGA: Final = 1e-9
_MACS: Final = tuple(position for position, name in enumerate(FEATURES) if name.endswith("_macs"))
_BYTES: Final = tuple(position for position, name in enumerate(FEATURES) if name.endswith("_bytes"))
TERMS: Final = len(FEATURES) + _PER_KIND * len(KINDS)


def law_terms(part: Part) -> Array:
    """Terms of a part: the features that all kinds share, then three of its own kind, (:data:`TERMS`,)."""
    features = part_features(part)
    terms = np.zeros(TERMS)
    terms[: len(FEATURES)] = features
    terms[: len(FEATURES) - 1] *= _GIGA
    start = len(FEATURES) + KINDS.index(part.kind) * _PER_KIND
    macs, moved = (sum(features[position] for position in positions) for positions in (_MACS, _BYTES))
    terms[start : start + _PER_KIND] = macs * _GIGA, moved * _GIGA, 1.0
    return terms


def fit_law(terms: Array, cost_s: Array) -> Array:
    """Seconds of one of each term, by least squares on relative errors.

    Terms of a single kind are shrunk harder than the common ones, so that a kind with few measurements takes its
    cost from the others.

    Args:
        terms: (parts, :data:`TERMS`).
        cost_s: Measured seconds, (parts,).
    """
    relative = terms / cost_s[:, None]
    contribution = np.sqrt((relative**2).mean(axis=0))
    used = contribution > 0.0
    strengths = np.full(TERMS, STRENGTH)
    strengths[: len(FEATURES)] = COMMON_STRENGTH
    penalty = np.diag((np.sqrt(strengths * len(cost_s)) * contribution)[used])
    goal = np.concatenate([np.ones(len(cost_s)), np.zeros(int(used.sum()))])
    weights = np.zeros(TERMS)
    weights[used] = non_negative_least_squares(np.vstack([relative[:, used], penalty]), goal)
    return weights


def law_cost_s(terms: Array, weights: Array) -> Array:
    """Seconds by the law, (parts, :data:`TERMS`) to (parts,)."""
    return np.asarray(np.maximum((terms * weights).sum(axis=1), FLOOR_S))


def stacked_terms(parts: Sequence[Part]) -> Array:
    """Terms of several parts, (parts, :data:`TERMS`)."""
    return np.stack([law_terms(part) for part in parts])
