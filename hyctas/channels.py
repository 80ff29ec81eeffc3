"""Channel counts of the space: base channels times stride times width ratio."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final

STEM_STRIDE: Final = 8
"""Stride of scale 0; scale s has stride 8 * 2 ** s."""
WIDE_HEAD: Final = 256
"""From more channels than these on, a head works on half of them."""


@cache
def num_filters(stride: int, base_channels: int, twelfths: int) -> int:
    """Channels of a map at `stride`: stride * base channels * width ratio, rounded half to even."""
    return round(Fraction(stride * base_channels * twelfths, 12))


def stride_of(scale: int) -> int:
    """Stride of a scale index."""
    return STEM_STRIDE << scale


def middle_channels(channels: int) -> int:
    """Channels that a head on `channels` works on."""
    return channels if channels <= WIDE_HEAD else channels // 2
