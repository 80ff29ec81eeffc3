"""Smooth random fields: clouds, foliage, wear of walls and asphalt."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

TILE: Final = 128
_OCTAVES: Final = ((8, 0.4), (16, 0.25), (32, 0.2), (128, 0.15))
"""Cells across a tile, and the share of the contrast that they carry."""


def tile(rng: np.random.Generator) -> Field:
    """A field (`TILE`, `TILE`) from 0 to 1 that continues at its edges: random grids of several sizes, summed."""
    field = np.zeros((TILE, TILE), np.float32)
    for cells, share in _OCTAVES:
        field += np.float32(share) * _stretched(_stretched(rng.random((cells, cells), np.float32)).T)
    field -= field.min()
    field /= field.max()
    return field


def sample(field: Field, rows: Field, columns: Field) -> Field:
    """`field` at real positions, of which any are in it since it repeats; the value of the cell is taken."""
    value: Field = field[rows.astype(np.int32) & (TILE - 1), columns.astype(np.int32) & (TILE - 1)]
    return value


def _stretched(grid: Field) -> Field:
    """`grid` with its rows interpolated linearly to `TILE`."""
    if len(grid) == TILE:
        return grid
    position = np.arange(TILE, dtype=np.float32) * np.float32(len(grid) / TILE)
    below = position.astype(np.int32)
    share = (position - below)[:, None].astype(np.float32)
    between: Field = grid[below] * (1 - share) + grid[(below + 1) % len(grid)] * share
    return between
