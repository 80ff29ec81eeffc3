"""The table of parts: one row of additive features for each part that was ever asked for."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from hyctas.parts import Part
from predictor.operator_costs import OperatorCost, Source
from predictor.part_features import FEATURES, KINDS, part_features

Array = npt.NDArray[np.float64]

PER_KIND: Final = ("cost_s", "gmacs", "gbytes", "count")
"""What each kind has a column of: operator cost in seconds, 1e9 multiply-accumulates, 1e9 bytes, parts."""
OVERALL: Final = (
    "conv_1x1_macs",
    "conv_3x3_macs",
    "matmul_macs",
    "weight_bytes",
    "resize_bytes",
    "softmax_bytes",
    "nodes",
)
"""Features of :mod:`predictor.part_features` that are summed over all kinds as well.

Weights stay in the cache while an operator is measured alone; a network reads them from memory each time.
"""
COLUMNS: Final = (*(f"{kind}.{name}" for kind in KINDS for name in PER_KIND), *OVERALL)
COST_COLUMNS: Final = tuple(position * len(PER_KIND) for position in range(len(KINDS)))
"""Columns that hold operator costs, in the order of the kinds."""

_GIGA: Final = 1e-9
_MACS: Final = tuple(FEATURES.index(name) for name in ("conv_1x1_macs", "conv_3x3_macs", "matmul_macs"))
_BYTES: Final = tuple(position for position, name in enumerate(FEATURES) if name.endswith("_bytes"))
_OVERALL: Final = tuple(FEATURES.index(name) for name in OVERALL)


class PartCosts(Protocol):
    """Whatever says what a part costs."""

    def cost(self, part: Part) -> OperatorCost:
        """Cost of `part`."""


class PartTable:
    """Rows of parts, grown as parts are first seen.

    Args:
        costs: What parts cost on the target.
    """

    def __init__(self, costs: PartCosts) -> None:
        self._costs = costs
        self._row_of: dict[Part, int] = {}
        self._matrix = np.zeros((256, len(COLUMNS)))
        self.parts: list[Part] = []
        self.sources: list[Source] = []

    def row_of(self, part: Part) -> int:
        """The row of `part`, added if it is new."""
        row = self._row_of.get(part)
        if row is None:
            row = self._add(part)
        return row

    @property
    def matrix(self) -> Array:
        """Features of all rows, (rows, columns)."""
        return self._matrix[: len(self.parts)]

    def _add(self, part: Part) -> int:
        row = len(self.parts)
        if row == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        cost = self._costs.cost(part)
        self._matrix[row] = part_vector(part, cost.cost_s)
        self.parts.append(part)
        self.sources.append(cost.source)
        self._row_of[part] = row
        return row


def part_vector(part: Part, cost_s: float) -> Array:
    """Additive features of one part whose operator cost is so many seconds, in the order of :data:`COLUMNS`."""
    features = part_features(part)
    vector = np.zeros(len(COLUMNS))
    start = KINDS.index(part.kind) * len(PER_KIND)
    macs = sum(features[position] for position in _MACS)
    moved = sum(features[position] for position in _BYTES)
    vector[start : start + len(PER_KIND)] = cost_s, macs * _GIGA, moved * _GIGA, 1.0
    vector[-len(OVERALL) :] = [features[position] * _GIGA for position in _OVERALL]
    vector[-1] = features[_OVERALL[-1]]
    return vector
