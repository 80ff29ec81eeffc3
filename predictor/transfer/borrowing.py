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
from predictor.transfer.learning import learn_borrowed, lent_features
from predictor.transfer.lenders import Lender

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
    """

    costs: OperatorCosts
    latency: Latency
    choice: Choice
    left_out_s: Array
    additive_s: Array
    mixture: Mapping[str, float]


def borrow(
    networks: Sequence[NetworkSample], costs: OperatorCosts, lenders: Sequence[Lender], *, seed: int = 0
) -> Borrowed:
    """Learn the latency of a target from at least :data:`MIN_BORROWING` of its networks and at least one lender.

    Args:
        networks: Measured on the new target.
        costs: What its own operators cost.
        lenders: Known targets.
        seed: Of folds and boosting.
    """
    lent = lent_features(lenders, [sample.architecture for sample in networks])
    latency_s = np.array([sample.latency_s for sample in networks])
    learned = learn_borrowed(lent, latency_s, rng=np.random.default_rng(seed))
    borrowed = _borrowed_costs(networks, lenders, learned.mixture)
    estimator = fit_operator_estimator(_some(borrowed, seed), seed=seed)
    return Borrowed(
        replace(costs, measured={}, estimator=estimator, borrowed=borrowed),
        learned.latency,
        learned.choice,
        learned.left_out_s,
        learned.latency.prior.latency_s(lent.mixed(learned.mixture)),
        {lender.target: float(weight) for lender, weight in zip(lenders, learned.mixture, strict=True) if weight > 0.0},
    )


def _borrowed_costs(
    networks: Sequence[NetworkSample], lenders: Sequence[Lender], mixture: Array
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
