"""mIoU and latency of every architecture from a formula with seeded tables: an objective that costs nothing.

Nothing is trained, and nothing is fitted to let one algorithm win: it was written down before any was run on it.

* mIoU: each scale has a capacity that saturates; operators are worth different amounts at different scales, attention
  most in late cells and at coarse scales; branches are worth having, most where they share a part of their cells; many
  cells cost a little; and every pair of neighbouring cells has a random effect at every scale.
* Latency: a sum over parts, shared cells once, of an overhead and of multiply-accumulates at a rate that is drawn for
  each kind of part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from hyctas.architecture import Architecture
from hyctas.cell import OPERATORS, WIDTHS
from hyctas.costs import costs
from hyctas.decomposition import decompose
from hyctas.lowering import lower_part
from hyctas.parts import Part
from search.evolution.scored import Score

SHARED_BEST: Final = 0.4
"""Share of cells in common at which several branches are worth most."""
ATTENTION: Final = OPERATORS.index("sa")
OVERHEAD_S: Final = 2e-5
MACS_PER_S: Final = 5e9
BASE_WORTH: Final = np.array([0.25, 0.6, 0.5, 0.7, 0.65, 0.8])
"""What an operator is worth before a landscape draws its factor, by its number."""
KINDS: Final = (*OPERATORS, "stem_conv", "fuse", "ffm", "head_attention", "lateral", "classifier")
"""Kinds of parts, each with a rate of its own."""


class Landscape:
    """mIoU and latency of every architecture, from tables drawn with a seed.

    Args:
        seed: Draws the tables.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self._worth = rng.lognormal(0.0, 0.35, size=(len(OPERATORS), 3)) * BASE_WORTH[:, None]
        self._weight = rng.dirichlet([4.0, 5.0, 6.0])
        self._half = rng.uniform(1.5, 3.5, size=3)
        self._pairs = rng.normal(0.0, 0.03, size=(len(OPERATORS), len(OPERATORS), 3))
        self._attention = rng.uniform(0.02, 0.06)
        self._diversity = rng.uniform(0.02, 0.06)
        self._rate = {kind: float(rng.lognormal(0.0, 0.5)) for kind in KINDS}
        self._costs_s: dict[Part, float] = {}

    def __call__(self, architectures: Sequence[Architecture]) -> list[Score]:
        """Score architectures."""
        return [Score((1.0 - self.miou(a), math.log(self.latency_s(a)))) for a in architectures]

    def miou(self, architecture: Architecture) -> float:
        """Pretended quality, 0 to 1."""
        cells = _unique_cells(architecture)
        capacity = np.zeros(3)
        pairs, attention = [], 0.0
        for cell in cells:
            capacity[cell.scale] += self._worth[cell.operator, cell.scale] * cell.width**0.5
            attention += (cell.operator == ATTENTION) * cell.depth * (1 + cell.scale) / 3
            if cell.before is not None:
                pairs.append(self._pairs[cell.before, cell.operator, cell.scale])
        filled = 1.0 - np.exp(-capacity / self._half)
        quality = 0.15 + 0.5 * float(self._weight @ filled)
        quality += self._attention * (1.0 - math.exp(-attention / 1.5))
        quality += self._diversity * _diversity(architecture, len(cells))
        quality += float(np.sum(pairs)) / math.sqrt(len(pairs) + 1)
        quality -= 0.0004 * max(0, len(cells) - 14) ** 1.5
        return float(np.clip(quality, 0.0, 1.0))

    def latency_s(self, architecture: Architecture) -> float:
        """Pretended latency: the sum of what the parts cost."""
        return math.fsum(self._cost_s(placed.part) for placed in decompose(architecture).parts)

    def _cost_s(self, part: Part) -> float:
        if part not in self._costs_s:
            self._costs_s[part] = OVERHEAD_S + _macs(part) / (MACS_PER_S * self._rate[part.kind])
        return self._costs_s[part]


@cache
def _macs(part: Part) -> int:
    return costs(lower_part(part)).macs


@dataclass(frozen=True, slots=True)
class _PlacedCell:
    """A cell that is built: its numbers, where it is, and the operator before it."""

    operator: int
    width: float
    scale: int
    depth: float
    before: int | None


def _unique_cells(architecture: Architecture) -> list[_PlacedCell]:
    """The cells of an architecture, shared ones once."""
    cells: dict[object, _PlacedCell] = {}
    for index, branch in enumerate(architecture.branches):
        code, scale = branch.code, 0
        for position, cell in enumerate(code):
            last = position == len(code) - 1
            scale += cell & 1
            width = 1.0 if last else WIDTHS[(cell >> 1 & 7) - 1] / 12
            before = code[position - 1] >> 4 if position else None
            place = (index, position) if last else code[: position + 1]
            cells[place] = _PlacedCell(cell >> 4, width, scale, (position + 1) / len(code), before)
    return list(cells.values())


def _diversity(architecture: Architecture, built: int) -> float:
    """What several branches add: more with each, and most where they share a part of their cells."""
    branches = architecture.branches
    if len(branches) == 1:
        return 0.0
    shared = 1.0 - built / sum(len(branch.code) for branch in branches)
    return math.pow(len(branches) - 1, 0.7) * (1.0 - abs(shared - SHARED_BEST))
