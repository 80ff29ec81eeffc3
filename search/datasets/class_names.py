"""Classes that are given as a list of names, and colours for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from search.datasets.dataset import ClassLabel, Colour

_CHANNEL_BITS: Final = 8


def names(text: str) -> tuple[str, ...]:
    """Names between commas, over several lines."""
    return tuple(" ".join(text.split()).split(", "))


def rule_coloured(listed: Sequence[str]) -> tuple[ClassLabel, ...]:
    """Classes with the colours of 1, 2, and so on."""
    return tuple(ClassLabel(name, rule_colour(number)) for number, name in enumerate(listed, start=1))


def rule_colour(number: int) -> Colour:
    """The colour of class `number` by the rule of PASCAL VOC: its bits go to red, green and blue in turn.

    The lowest bits become the highest, so small numbers are far apart. 0 is black.
    """
    red = green = blue = 0
    for place in reversed(range(_CHANNEL_BITS)):
        red |= (number & 1) << place
        green |= (number >> 1 & 1) << place
        blue |= (number >> 2 & 1) << place
        number >>= 3
    return red, green, blue
