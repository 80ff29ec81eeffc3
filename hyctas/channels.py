"""Channel counts of the space: base channels times stride times width ratio."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final

STEM_STRIDE: Final = 8
"""Stride of scale 0; scale s has stride 8 * 2 ** s."""


@cache
def num_filters(stride: int, base_channels: int, twelfths: int) -> int:
    """Channels of a map at `stride`: stride * base channels * width ratio, rounded half to even."""
    return round(Fraction(stride * base_channels * twelfths, 12))


def stride_of(scale: int) -> int:
    """Stride of a scale index."""
    return STEM_STRIDE << scale
