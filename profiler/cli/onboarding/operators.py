"""Which operators to measure next: those that stand for most of what networks are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from hyctas.decomposition import decompose
from hyctas.parts import Part
from predictor.acquisition import Candidates, most_informative
from predictor.part_features import SHARED_LOG_FEATURES, log_features
from predictor.transfer.lenders import Lender

Array = npt.NDArray[np.float64]

OPERATOR_NOISE: Final = 0.15
"""Relative error of an operator as a witness of what it adds to a network."""
SCALE: Final = 3.0
"""Distance, in standard deviations of all features together, over which operators tell about one another."""
OF_ANOTHER_KIND: Final = 0.5
"""How much an operator tells about one of another kind, compared with one of its own."""
_JITTER: Final = 1e-6


def operators_of(networks: Sequence[Architecture], lenders: Sequence[Lender]) -> dict[Part, float]:
    """Every part of some networks, and its share of their expected latency together, by the average lender.

    Without lenders, its share of all occurrences.
    """
    counts = Counter(placed.part for network in networks for placed in decompose(network).parts)
    cost_s = np.zeros(len(counts))
    for lender in lenders:
        lent_s = np.array([count * lender.cost(part).cost_s for part, count in counts.items()])
        cost_s += lent_s / lent_s.sum()
    if not lenders:
        cost_s += np.array(list(counts.values()))
    return dict(zip(counts, (cost_s / cost_s.sum()).tolist(), strict=True))


def next_operators(shares: dict[Part, float], measured: Collection[Part], count: int) -> list[Part]:
    """Choose `count` operators, each the one that teaches most about the costs of all, given those before it.

    Log costs are taken to be smooth in the features of operators, and more alike within a kind.

    Args:
        shares: By part, how much it matters.
        measured: What is measured already.
        count: How many; fewer if there are fewer.
    """
    parts = list(shares)
    free = [position for position, part in enumerate(parts) if part not in measured]
    if not free or count < 1:
        return []
    rows = _rows(parts)
    known = rows[[position for position, part in enumerate(parts) if part in measured]]
    candidates = Candidates(rows[free], np.ones(len(free)), np.full(len(free), OPERATOR_NOISE))
    pool = rows * np.array(list(shares.values()))[:, None]
    noise = np.full(len(known), OPERATOR_NOISE)
    chosen = most_informative(candidates, pool, known=known, known_noise=noise, count=count)
    return [parts[free[position]] for position in chosen]


def _rows(parts: Sequence[Part]) -> Array:
    """Rows whose products are how alike parts are, (parts, parts): a root of the kernel."""
    features = np.stack([log_features(part) for part in parts])
    sizes, kinds = features[:, : len(SHARED_LOG_FEATURES)], features[:, len(SHARED_LOG_FEATURES) :]
    spread = sizes.std(axis=0)
    scaled = (sizes - sizes.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    squared = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    alike = np.exp(-squared / (2.0 * SCALE**2)) * (OF_ANOTHER_KIND + (1.0 - OF_ANOTHER_KIND) * (kinds @ kinds.T))
    return np.asarray(np.linalg.cholesky(alike + _JITTER * np.eye(len(parts))))
