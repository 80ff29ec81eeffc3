"""Which blueprint builds the networks of which space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hyctas.architecture import ArchitectureDefaults
from hyctas.blueprint import Blueprint
from hyctas.fasterseg_blueprint import FasterSegBlueprint
from hyctas.hyctas_blueprint import HyctasBlueprint

BLUEPRINTS: Final[Mapping[str, Callable[[ArchitectureDefaults], Blueprint]]] = MappingProxyType(
    {"hyctas": HyctasBlueprint, "fasterseg": FasterSegBlueprint}
)
"""The class of each space of :data:`hyctas.space_rules.SPACE_RULES`."""


def blueprint_of(settings: ArchitectureDefaults) -> Blueprint:
    """The blueprint of networks with these settings."""
    return BLUEPRINTS[settings.space](settings)
