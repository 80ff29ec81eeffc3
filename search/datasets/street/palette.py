"""Colours of things. Those of different classes overlap, so that colour alone does not tell them apart."""

from __future__ import annotations

from typing import Final

import numpy as np

from search.datasets.street.camera import Reals


def _table(*colours: tuple[float, float, float]) -> Reals:
    return np.array(colours, np.float32)


SKIES: Final = _table(
    (0.80, 0.82, 0.85), (0.50, 0.66, 0.88), (0.35, 0.52, 0.80), (0.86, 0.78, 0.70), (0.62, 0.64, 0.68)
)
WALLS: Final = _table(
    (0.55, 0.32, 0.25), (0.72, 0.62, 0.48), (0.60, 0.60, 0.60), (0.85, 0.83, 0.78), (0.42, 0.44, 0.47),
    (0.55, 0.62, 0.70), (0.38, 0.42, 0.30), (0.45, 0.36, 0.30), (0.75, 0.55, 0.40),
)  # fmt: skip
GROUNDS: Final = _table(
    (0.36, 0.36, 0.38), (0.48, 0.47, 0.46), (0.58, 0.56, 0.53), (0.30, 0.30, 0.32), (0.50, 0.44, 0.40)
)
FOLIAGE: Final = _table(
    (0.22, 0.36, 0.14),
    (0.32, 0.42, 0.18),
    (0.18, 0.28, 0.16),
    (0.50, 0.40, 0.18),
    (0.45, 0.28, 0.16),
    (0.36, 0.34, 0.26),
)
PAINTS: Final = _table(
    (0.85, 0.85, 0.85), (0.10, 0.10, 0.11), (0.55, 0.56, 0.58), (0.35, 0.36, 0.38), (0.60, 0.10, 0.10),
    (0.12, 0.22, 0.48), (0.20, 0.35, 0.22), (0.70, 0.62, 0.45), (0.42, 0.20, 0.14),
)  # fmt: skip
METALS: Final = _table((0.42, 0.43, 0.44), (0.20, 0.20, 0.21), (0.60, 0.60, 0.58), (0.24, 0.30, 0.24))
CLOTHES: Final = _table(
    (0.15, 0.15, 0.18), (0.20, 0.26, 0.45), (0.62, 0.14, 0.16), (0.75, 0.74, 0.70), (0.40, 0.40, 0.40),
    (0.28, 0.36, 0.22), (0.65, 0.52, 0.20), (0.42, 0.32, 0.26),
)  # fmt: skip
SKIN: Final = _table((0.85, 0.66, 0.54), (0.62, 0.44, 0.33), (0.36, 0.25, 0.19))
SIGNS: Final = _table(
    (0.75, 0.12, 0.12), (0.12, 0.25, 0.65), (0.85, 0.72, 0.15), (0.85, 0.85, 0.85), (0.15, 0.45, 0.25)
)
BARK: Final = _table((0.30, 0.24, 0.19), (0.38, 0.36, 0.33))


def picked(rng: np.random.Generator, table: Reals, spread: float = 0.06) -> Reals:
    """A colour of `table`, (3,), made a little lighter or darker and tinted."""
    colour: Reals = several(rng, table, 1, spread)[0]
    return colour


def several(rng: np.random.Generator, table: Reals, count: int, spread: float = 0.06) -> Reals:
    """Colours of `table`, (count, 3), varied likewise."""
    lighter, tint = rng.normal(0, spread, (count, 1)), rng.normal(0, spread / 3, (count, 3))
    shown: Reals = np.clip(table[rng.integers(len(table), size=count)] + lighter + tint, 0.02, 0.98).astype(np.float32)
    return shown
