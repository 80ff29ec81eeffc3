"""Plans: what to measure, each workload once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.costs import Costs, costs
from hyctas.enumeration import operator_parts
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.space import SearchSpace
from hyctas.workload import Workload

CHAIN: Final = 3
"""Copies in the chain whose time minus that of one copy gives the marginal cost of two."""
_COPIES_OF_WEIGHTS: Final = 3
"""As drawn, as written to the model, and as the runtime packs them."""
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True)
class PlannedWorkload:
    """One thing to measure, and where it came from.

    Attributes:
        workload: The graph and its key.
        source: The part (an operator alone) or the architecture (a network) that it is.
        chain: A chain of :data:`CHAIN` copies of the operator, where its shapes allow one.
    """

    workload: Workload
    source: Part | Architecture
    chain: Graph | None = None

    @property
    def key(self) -> str:
        """The workload key."""
        return self.workload.key

    @cached_property
    def costs(self) -> Costs:
        """What the workload takes, counted."""
        return costs(self.workload.graph)

    @property
    def resident_bytes(self) -> int:
        """Rough memory that a prepared engine holds: its weights several times, and its activations."""
        return _COPIES_OF_WEIGHTS * _FLOAT_BYTES * self.costs.parameters + self.costs.peak_activation_bytes


def plan_operators(space: SearchSpace, settings: ArchitectureDefaults) -> tuple[PlannedWorkload, ...]:
    """Every distinct operator workload of `space` at the input size of `settings`."""
    return plan_parts(operator_parts(space, settings))


def plan_parts(parts: Iterable[Part]) -> tuple[PlannedWorkload, ...]:
    """The given operators, equal work once."""
    planned = (
        PlannedWorkload(Workload(lower_part(part)), part, lower_part(part, copies=CHAIN) if part.can_chain else None)
        for part in parts
    )
    return distinct(planned)


def plan_networks(architectures: Iterable[Architecture]) -> tuple[PlannedWorkload, ...]:
    """The given networks, equal work once."""
    return distinct(map(planned_network, architectures))


def planned_network(network: Architecture) -> PlannedWorkload:
    """A network, lowered."""
    return PlannedWorkload(Workload(lower(network)), network)


def distinct(planned: Iterable[PlannedWorkload]) -> tuple[PlannedWorkload, ...]:
    """The first of all those that are equal work."""
    by_key: dict[str, PlannedWorkload] = {}
    for item in planned:
        by_key.setdefault(item.key, item)
    return tuple(by_key.values())
