"""Lenders: targets that are known already, and what each part adds to a network there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from hyctas.errors import InsufficientData
from hyctas.parts import Part
from predictor.encoding import Encoder
from predictor.operator_costs import OperatorCost, OperatorCosts, learn_operator_costs
from predictor.part_table import PartCosts, PartTable, part_vector
from predictor.prior import AdditivePrior, choose_prior
from predictor.samples import NetworkSample, OperatorSample

Array = npt.NDArray[np.float64]

MIN_NETWORKS: Final = 20
"""A target with fewer measured networks has nothing to lend."""
RATIO_RANGE: Final = (0.2, 5.0)
"""What an operator adds to a network over its latency alone; beyond, one of both was hardly measured."""


@dataclass(frozen=True, eq=False)
class Lender:
    """A known target.

    Attributes:
        target: Its full name.
        costs: Operator costs there.
        prior: What networks taught about them there.
        networks: How many networks that were.
    """

    target: str
    costs: OperatorCosts
    prior: AdditivePrior
    networks: int

    def cost(self, part: Part) -> OperatorCost:
        """What `part` adds to a network on this target, by what its networks taught: not what it costs alone."""
        vector = part_vector(part, self.costs.cost(part).cost_s)
        return OperatorCost(float((vector * self.prior.weights).sum()), "estimated")


@dataclass(frozen=True, eq=False)
class Repriced:
    """A lender whose operators cost what they cost on the borrower.

    Attributes:
        lender: Says by how much an operator in a network differs from the operator measured for itself.
        own: What operators cost on the borrower.
    """

    lender: Lender
    own: OperatorCosts

    @property
    def target(self) -> str:
        """Full name of the lender."""
        return self.lender.target

    def cost(self, part: Part) -> OperatorCost:
        """The borrower's cost of `part`, times what networks make of such a cost on the lender."""
        alone_s, in_network_s = self.lender.costs.cost(part).cost_s, self.lender.cost(part).cost_s
        low, high = RATIO_RANGE
        ratio = min(max(in_network_s / alone_s, low), high) if alone_s > 0.0 else 1.0
        return OperatorCost(self.own.cost(part).cost_s * ratio, "estimated")


@dataclass(frozen=True, eq=False)
class OwnOperators:
    """The borrower's own operators, which take part like a lender."""

    own: OperatorCosts
    target: ClassVar[str] = ""

    def cost(self, part: Part) -> OperatorCost:
        """What `part` costs on the borrower, measured or estimated."""
        return self.own.cost(part)


Lending = Lender | Repriced | OwnOperators


def learn_lender(
    target: str,
    networks: Sequence[NetworkSample],
    operators: Sequence[OperatorSample],
    *,
    free_kinds: Collection[str] = (),
    seed: int = 0,
) -> Lender:
    """Learn what a known target has to lend; equal samples and seeds give equal lenders.

    Raises:
        InsufficientData: Under :data:`MIN_NETWORKS` networks.
    """
    if len(networks) < MIN_NETWORKS:
        raise InsufficientData(f"{target}: {len(networks)} measured networks; a lender has at least {MIN_NETWORKS}")
    costs = learn_operator_costs(operators, free_kinds=free_kinds, seed=seed)
    features = additive_features(costs, [sample.architecture for sample in networks])
    latency_s = np.array([sample.latency_s for sample in networks])
    prior = choose_prior(features, latency_s, rng=np.random.default_rng(seed))
    return Lender(target, costs, prior, len(networks))


def additive_features(costs: PartCosts, networks: Sequence[Architecture]) -> Array:
    """Additive features of networks whose cost columns hold these costs, (networks, columns)."""
    table = PartTable(costs)
    return Encoder(table.row_of).encode(networks).sums(table.matrix)
