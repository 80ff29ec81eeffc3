"""Borrowing: from networks of a new target and lenders to operator costs and a latency that any model can hold.

There are up to three ways to say what parts cost: as lenders have it; as the target's own operators have it; and as
lenders say that networks make of those. Which of them is right, ten networks cannot tell, and the ways err differently.
So they are blended, each weighed by the inverse of its squared error on networks left out. Every way is additive over
parts, so the blend is as well: it is one cost for each part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.enumeration import operator_parts
from hyctas.parts import Part
from hyctas.space import SearchSpace
from predictor.correction import choose_boosting, correction_inputs, fit_correction
from predictor.learning import Choice, Latency
from predictor.operator_costs import OperatorCost, OperatorCosts
from predictor.operator_estimator import fit_operator_estimator
from predictor.operator_law import FLOOR_S
from predictor.part_table import part_vector
from predictor.prior import operator_sum
from predictor.samples import NetworkSample
from predictor.transfer.learning import BorrowedLatency, LentFeatures, learn_borrowed, left_out_factor, lent_features
from predictor.transfer.lenders import Lender, Lending, OwnOperators, Repriced, additive_features

Array = npt.NDArray[np.float64]

MIN_BORROWING: Final = 4
"""Networks of the new target under which not even the scale of what is borrowed is certain."""
ESTIMATED_FROM: Final = 100
"""Costs that the estimate at other sizes is fitted to: they are smooth, and fitting takes their cube."""
SMALLEST_ERROR: Final = 1e-3
"""No way counts as better than this on networks left out."""


@dataclass(frozen=True, eq=False)
class Borrowed:
    """What was learned with the help of lenders.

    Attributes:
        costs: Operator costs: of every part of the space at the sizes of the networks.
        latency: The end-to-end model on top of them.
        choice: What was chosen on left-out folds; the strength is that of the way that weighs most.
        left_out_s: Latency of each network as learned without it, in seconds.
        additive_s: Its additive latency.
        shares: By lender, the share of predicted latencies that comes from it; the rest comes from own operators.
    """

    costs: OperatorCosts
    latency: Latency
    choice: Choice
    left_out_s: Array
    additive_s: Array
    shares: Mapping[str, float]


def borrow(
    networks: Sequence[NetworkSample], costs: OperatorCosts, lenders: Sequence[Lender], *, seed: int = 0
) -> Borrowed:
    """Learn the latency of a target from at least :data:`MIN_BORROWING` of its networks and at least one lender.

    Args:
        networks: Measured on the new target.
        costs: What its own operators cost, measured or estimated.
        lenders: Known targets.
        seed: Of folds and boosting.
    """
    latency_s = np.array([sample.latency_s for sample in networks])
    blend = _blend(networks, costs, lenders, latency_s, seed)
    features = additive_features(blend, [sample.architecture for sample in networks])
    rng = np.random.default_rng(seed)
    inputs, log_ratio = correction_inputs(features, operator_sum()), np.log(latency_s / blend.left_out_s)
    boosting = choose_boosting(inputs, log_ratio, rng=rng)
    priced = _priced(networks, blend)
    estimator = fit_operator_estimator(_some(priced, seed), seed=seed)
    return Borrowed(
        replace(costs, measured={}, estimator=estimator, borrowed=priced),
        Latency(operator_sum(), None if boosting is None else fit_correction(inputs, log_ratio, boosting)),
        Choice(blend.strength, boosting),
        blend.left_out_s
        if boosting is None
        else blend.left_out_s * left_out_factor(inputs, log_ratio, boosting, rng=rng),
        operator_sum().latency_s(features),
        blend.shares(),
    )


@dataclass(frozen=True, eq=False)
class _Way:
    """One way to say what parts cost.

    Attributes:
        lending: Whose costs are mixed.
        lent: Features of the networks under them.
        learned: What was learned on top.
        error: Root mean square of the log-ratio of measured to left-out latencies.
    """

    lending: Sequence[Lending]
    lent: LentFeatures
    learned: BorrowedLatency
    error: float

    def cost_s(self, part: Part) -> float:
        """What `part` adds to a network, in seconds."""
        weighed = zip(self.lending, self.learned.mixture.tolist(), strict=True)
        mixed_s = sum(weight * each.cost(part).cost_s for each, weight in weighed if weight > 0.0)
        return float((part_vector(part, mixed_s) * self.learned.prior.weights).sum())

    def shares(self) -> Mapping[str, float]:
        """By whose costs are mixed, the share of latencies that comes from them."""
        mixed_s = self.lent.lent_s.mean(axis=0) * self.learned.mixture
        total_s = float(mixed_s.sum())
        return {
            each.target: float(part_s) / total_s
            for each, part_s in zip(self.lending, mixed_s, strict=True)
            if part_s > 0.0
        }


@dataclass(frozen=True, eq=False)
class _Blend:
    """Ways, and how much each of them counts; the weights sum to one."""

    ways: Sequence[_Way]
    weights: Sequence[float]

    @property
    def left_out_s(self) -> Array:
        """Latency of each network as learned without it, in seconds."""
        weighed = [weight * way.learned.left_out_s for way, weight in zip(self.ways, self.weights, strict=True)]
        return np.asarray(np.sum(weighed, axis=0))

    @property
    def strength(self) -> float:
        """Shrinkage of the way that weighs most."""
        return self.ways[int(np.argmax(self.weights))].learned.strength

    def cost(self, part: Part) -> OperatorCost:
        """What `part` adds to a network."""
        cost_s = sum(weight * way.cost_s(part) for way, weight in zip(self.ways, self.weights, strict=True))
        return OperatorCost(cost_s, "estimated")

    def shares(self) -> Mapping[str, float]:
        """By lender, the share of latencies that comes from it."""
        found: dict[str, float] = defaultdict(float)
        for way, weight in zip(self.ways, self.weights, strict=True):
            for target, share in way.shares().items():
                found[target] += weight * share
        return {target: share for target, share in found.items() if target != OwnOperators.target}


def _blend(
    networks: Sequence[NetworkSample], costs: OperatorCosts, lenders: Sequence[Lender], latency_s: Array, seed: int
) -> _Blend:
    lendings: list[Sequence[Lending]] = [lenders]
    if costs.estimator is not None:
        lendings += [[OwnOperators(costs)], [Repriced(lender, costs) for lender in lenders]]
    ways = [_way(networks, lending, latency_s, seed) for lending in lendings]
    weights = np.array([max(way.error, SMALLEST_ERROR) ** -2 for way in ways])
    return _Blend(ways, (weights / weights.sum()).tolist())


def _way(networks: Sequence[NetworkSample], lending: Sequence[Lending], latency_s: Array, seed: int) -> _Way:
    lent = lent_features(lending, [sample.architecture for sample in networks])
    learned = learn_borrowed(lent, latency_s, rng=np.random.default_rng(seed))
    return _Way(lending, lent, learned, float(np.sqrt(np.mean(np.log(latency_s / learned.left_out_s) ** 2))))


def _priced(networks: Sequence[NetworkSample], blend: _Blend) -> Mapping[Part, float]:
    """Cost in seconds of each part that networks with the settings of these can have."""
    settings = dict.fromkeys(sample.architecture.settings for sample in networks)
    parts = dict.fromkeys(part for s in settings for part in operator_parts(SearchSpace(name=s.space), s))
    return {part: blend.cost(part).cost_s for part in parts}


def _some(costs: Mapping[Part, float], seed: int) -> Mapping[Part, float]:
    """Random ones of some costs, none of them zero."""
    known = list(costs.items())
    order = np.random.default_rng(seed).permutation(len(known))[:ESTIMATED_FROM]
    return {known[position][0]: max(known[position][1], FLOOR_S) for position in order}
