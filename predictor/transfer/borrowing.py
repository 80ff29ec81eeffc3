"""Borrowing: from networks of a new target and lenders to operator costs and a latency that any model can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.enumeration import operator_parts
from hyctas.parts import Part
from hyctas.space import SearchSpace
from predictor.learning import Choice, Latency
from predictor.operator_costs import OperatorCosts
from predictor.operator_estimator import fit_operator_estimator
from predictor.operator_law import FLOOR_S
from predictor.samples import NetworkSample
from predictor.transfer.learning import BorrowedLatency, LentFeatures, learn_borrowed, lent_features
from predictor.transfer.lenders import Lender, Lending, Repriced

Array = npt.NDArray[np.float64]

MIN_BORROWING: Final = 4
"""Networks of the new target under which not even the scale of what is borrowed is certain."""
ESTIMATED_FROM: Final = 100
"""Borrowed costs that the estimate at other sizes is fitted to: they are smooth, and fitting costs their cube."""


@dataclass(frozen=True, eq=False)
class Borrowed:
    """What was learned with the help of lenders.

    Attributes:
        costs: Operator costs: of every part of the space at the sizes of the networks.
        latency: The end-to-end model on top of them.
        choice: What was chosen on left-out folds.
        left_out_s: Latency of each network as learned without it, in seconds.
        additive_s: Its additive latency.
        mixture: Weight of each lender, by target; those that weigh nothing are left out.
        repriced: Whether lenders only told what networks make of the target's own operators.
    """

    costs: OperatorCosts
    latency: Latency
    choice: Choice
    left_out_s: Array
    additive_s: Array
    mixture: Mapping[str, float]
    repriced: bool


def borrow(
    networks: Sequence[NetworkSample], costs: OperatorCosts, lenders: Sequence[Lender], *, seed: int = 0
) -> Borrowed:
    """Learn the latency of a target from at least :data:`MIN_BORROWING` of its networks and at least one lender.

    Lenders say what parts cost; or, where enough of the target's own operators were measured, what networks make of
    those. What predicts networks better that were left out is taken.

    Args:
        networks: Measured on the new target.
        costs: What its own operators cost, measured or estimated.
        lenders: Known targets.
        seed: Of folds and boosting.
    """
    ways = [_learn(networks, lenders, seed)]
    if costs.estimator is not None:
        ways.append(_learn(networks, [Repriced(lender, costs) for lender in lenders], seed))
    best = min(ways, key=lambda way: way.error)
    mixture, prior = best.learned.mixture, best.learned.latency.prior
    borrowed = _borrowed_costs(networks, best.lenders, mixture)
    return Borrowed(
        replace(
            costs, measured={}, estimator=fit_operator_estimator(_some(borrowed, seed), seed=seed), borrowed=borrowed
        ),
        best.learned.latency,
        best.learned.choice,
        best.learned.left_out_s,
        prior.latency_s(best.lent.mixed(mixture)),
        {each.target: weight for each, weight in zip(lenders, mixture.tolist(), strict=True) if weight > 0.0},
        repriced=isinstance(best.lenders[0], Repriced),
    )


@dataclass(frozen=True, eq=False)
class _Way:
    """One way to borrow, and the root mean square of the log-ratio of measured to left-out latencies under it."""

    lenders: Sequence[Lending]
    lent: LentFeatures
    learned: BorrowedLatency
    error: float


def _learn(networks: Sequence[NetworkSample], lenders: Sequence[Lending], seed: int) -> _Way:
    lent = lent_features(lenders, [sample.architecture for sample in networks])
    latency_s = np.array([sample.latency_s for sample in networks])
    learned = learn_borrowed(lent, latency_s, rng=np.random.default_rng(seed))
    error = float(np.sqrt(np.mean(np.log(latency_s / learned.left_out_s) ** 2)))
    return _Way(lenders, lent, learned, error)


def _borrowed_costs(
    networks: Sequence[NetworkSample], lenders: Sequence[Lending], mixture: Array
) -> Mapping[Part, float]:
    """Mixed cost in seconds of each part that networks with the settings of these can have."""
    settings = dict.fromkeys(sample.architecture.settings for sample in networks)
    parts = dict.fromkeys(part for s in settings for part in operator_parts(SearchSpace(name=s.space), s))
    weighed = [(lender, weight) for lender, weight in zip(lenders, mixture.tolist(), strict=True) if weight > 0.0]
    return {part: sum(weight * lender.cost(part).cost_s for lender, weight in weighed) for part in parts}


def _some(costs: Mapping[Part, float], seed: int) -> Mapping[Part, float]:
    """Random ones of some costs, none of them zero."""
    known = list(costs.items())
    order = np.random.default_rng(seed).permutation(len(known))[:ESTIMATED_FROM]
    return {known[position][0]: max(known[position][1], FLOOR_S) for position in order}
