"""Acquisition: which networks and operators to measure next, because they teach most for their time.

The surrogate is a linear model. The latency of a network, relative to what is expected, is a sum over kinds of parts of
the share that the kind is expected to take times an unknown factor near one. Measuring a network tells about the
factors of its kinds together; measuring an operator tells about one. What is worth measuring is what most lowers the
variance of predictions over the whole pool of networks, by second of measuring (transductive experimental design: Yu,
Bi and Tresp, "Active Learning via Transductive Experimental Design", 2006). It depends on features alone, never on
measured latencies, so the choice cannot chase noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FACTOR_DEVIATION: Final = 0.3
"""Standard deviation of the factor of a kind before anything is measured."""
NETWORK_NOISE: Final = 0.04
"""Relative error of a network under the surrogate: noise, and what is not linear."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be measured.

    Attributes:
        shares: Share of the expected latency that each column takes, (candidates, columns).
        measuring_s: Expected seconds of measuring, (candidates,).
        noise: Relative error of each under the surrogate, (candidates,).
    """

    shares: Array
    measuring_s: Array
    noise: Array


def most_informative(candidates: Candidates, pool: Array, *, known: Array, known_noise: Array, count: int) -> list[int]:
    """Choose candidates one after the other, each the one that teaches most by second given those before it.

    Args:
        candidates: To choose from, each at most once.
        pool: Shares of the networks whose predictions are to be good, (networks, columns).
        known: Shares of what is measured already, (measured, columns).
        known_noise: Its relative error, (measured,).
        count: How many to choose; fewer if there are fewer candidates.

    Returns:
        Positions of the chosen ones, in the order of choice; of equals the first.
    """
    covariance = posterior(known, known_noise)
    left = np.ones(len(candidates.shares), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(candidates.shares))):
        gain = variance_reduction(candidates, pool, covariance) / candidates.measuring_s
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        chosen.append(best)
        left[best] = False
        covariance = _updated(covariance, candidates.shares[best], float(candidates.noise[best]))
    return chosen


def posterior(shares: Array, noise: Array) -> Array:
    """Covariance of the factors once rows with these shares and relative errors are measured, (columns, columns)."""
    columns = shares.shape[1]
    precision = np.eye(columns) / FACTOR_DEVIATION**2
    weighted = shares / noise[:, None] if len(shares) else shares
    return np.asarray(np.linalg.inv(precision + weighted.T @ weighted))


def variance_reduction(candidates: Candidates, pool: Array, covariance: Array) -> Array:
    """By how much measuring each candidate alone would lower the summed variance over the pool, (candidates,)."""
    toward = candidates.shares @ covariance
    variance = (toward * candidates.shares).sum(axis=1) + candidates.noise**2
    return np.asarray(((toward @ pool.T) ** 2).sum(axis=1) / variance)


def _updated(covariance: Array, share: Array, noise: float) -> Array:
    toward = covariance @ share
    return np.asarray(covariance - np.outer(toward, toward) / (float(share @ toward) + noise**2))


def expected_shares(features: Array, columns: Sequence[int]) -> Array:
    """Share of the sum of some columns that each of them takes, (rows, columns)."""
    costs = features[:, list(columns)]
    return np.asarray(costs / costs.sum(axis=1, keepdims=True))
