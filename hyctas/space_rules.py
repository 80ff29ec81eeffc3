"""What the search spaces are made of: the operators, heads and attention that belong to each.

A space is a name in :data:`SPACE_RULES`, which says what its architectures may hold, and a blueprint
(:mod:`hyctas.blueprint`), which says how they are built. All spaces share the trellis of scales, the cells and the
branches of :mod:`hyctas.cell`, so their samplers, cardinality, keys and prefix sharing are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from hyctas.cell import OPERATORS, Operator
from hyctas.errors import InvalidArchitecture

Head = Literal["light", "s4", "plain"]
Attention = Literal["efficient", "released", "none"]


@dataclass(frozen=True, slots=True)
class SpaceRules:
    """What the architectures of a space may hold.

    Attributes:
        name: The ``space`` of its architectures; part of every key.
        operators: Candidate operators of a cell, in canonical order.
        heads: Forms of the head.
        attentions: Forms of attention; ``none`` where no part has any.
        default_head: The head of a file that does not say.
        default_attention: The attention of a file that does not say.
        release_operators: Operators by their number in released files.
    """

    name: str
    operators: tuple[Operator, ...]
    heads: tuple[Head, ...]
    attentions: tuple[Attention, ...]
    default_head: Head
    default_attention: Attention
    release_operators: tuple[Operator, ...]


SPACE_RULES: Final[Mapping[str, SpaceRules]] = MappingProxyType(
    {
        rules.name: rules
        for rules in (
            SpaceRules(
                name="hyctas",
                operators=OPERATORS,
                heads=("light", "s4"),
                attentions=("efficient", "released"),
                default_head="s4",
                default_attention="efficient",
                release_operators=("skip", "conv", "conv_downup", "conv_2x_downup", "sa"),
            ),
            SpaceRules(
                name="fasterseg",
                operators=tuple(op for op in OPERATORS if op != "sa"),
                heads=("plain",),
                attentions=("none",),
                default_head="plain",
                default_attention="none",
                release_operators=("skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup"),
            ),
        )
    }
)
"""Every space by its name."""


def rules_of(space: str) -> SpaceRules:
    """The rules of a space.

    Raises:
        InvalidArchitecture: There is no such space.
    """
    try:
        return SPACE_RULES[space]
    except KeyError:
        raise InvalidArchitecture("$.space", space, f"one of {', '.join(SPACE_RULES)}") from None
