"""Which block to measure next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from predictor.acquisition import NETWORK_NOISE, Candidates, expected_shares, most_informative
from predictor.operator_costs import OperatorCosts
from predictor.part_table import COLUMNS, COST_COLUMNS, PER_KIND
from predictor.transfer.learning import lent_features
from predictor.transfer.lenders import Lender, additive_features
from profiler.cli.onboarding.values import Block

Array = npt.NDArray[np.float64]

DRAWN_EACH: Final = 3
"""Of so many networks one is picked by chance, also where the others are chosen."""
DRAWN_EACH_FIRST: Final = 2
"""The same before anything was measured, so that two blocks of ten are enough to calibrate an interval."""
_MACS_COLUMNS: Final = tuple(column + PER_KIND.index("gmacs") for column in COST_COLUMNS)


@dataclass(frozen=True, eq=False)
class Pool:
    """Networks that may be measured.

    Attributes:
        networks: In random order: taking the next is picking by chance.
        shares: Share of its expected latency that each kind of parts takes, (networks, kinds).
    """

    networks: Sequence[Architecture]
    shares: Array


def make_pool(networks: Sequence[Architecture], lenders: Sequence[Lender]) -> Pool:
    """A pool whose shares are those of the average lender; without lenders, shares of multiply-accumulates."""
    if lenders:
        lent = lent_features(lenders, networks)
        weights = 1.0 / lent.lent_s.mean(axis=0)
        return Pool(networks, expected_shares(lent.mixed(weights), COST_COLUMNS))
    features = additive_features(OperatorCosts({}, None), networks)
    assert features.shape[1] == len(COLUMNS)
    return Pool(networks, expected_shares(features, _MACS_COLUMNS))


def next_block(pool: Pool, tried: Collection[int], count: int, *, informed: bool) -> Block:
    """Pick `count` networks that were not tried yet, or as many as there are.

    Args:
        pool: Where to pick.
        tried: Positions of networks that were measured or failed.
        count: How many.
        informed: Whether most are chosen for what they teach; otherwise all are drawn.
    """
    left = [position for position in range(len(pool.networks)) if position not in tried]
    count = min(count, len(left))
    each = (DRAWN_EACH if tried else DRAWN_EACH_FIRST) if informed else 1
    drawn = left[: -(-count // each)]
    chosen = _chosen(pool, [*tried, *drawn], count - len(drawn)) if informed else []
    return Block([pool.networks[p] for p in drawn], [pool.networks[p] for p in chosen])


def _chosen(pool: Pool, known: Sequence[int], count: int) -> list[int]:
    free = np.array([position for position in range(len(pool.networks)) if position not in set(known)], dtype=int)
    candidates = Candidates(pool.shares[free], np.ones(len(free)), np.full(len(free), NETWORK_NOISE))
    measured = pool.shares[list(known)]
    picked = most_informative(
        candidates, pool.shares, known=measured, known_noise=np.full(len(measured), NETWORK_NOISE), count=count
    )
    return [int(free[position]) for position in picked]
