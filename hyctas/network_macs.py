"""Multiply-accumulates of whole networks, without building their graphs."""

from __future__ import annotations

from functools import lru_cache

from hyctas.architecture import Architecture
from hyctas.costs import costs
from hyctas.decomposition import decompose
from hyctas.lowering import lower_part
from hyctas.parts import Part


def network_macs(architecture: Architecture) -> int:
    """Multiply-accumulates of one run: those of the parts, each of which is lowered once and then remembered."""
    return sum(_part_macs(placed.part) for placed in decompose(architecture).parts)


@lru_cache(maxsize=16384)
def _part_macs(part: Part) -> int:
    return costs(lower_part(part)).macs
