"""Colours that people with any colour vision tell apart, on light and dark ground (Okabe and Ito, 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hyctas.cell import Operator

DARK_INK: Final = "#111722"
LIGHT_INK: Final = "#ffffff"


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour, and the colour of text on it."""

    fill: str
    ink: str


OPERATOR_COLOURS: Final[Mapping[Operator, Swatch]] = MappingProxyType(
    {
        "skip": Swatch("#b4bac6", DARK_INK),
        "conv": Swatch("#0072b2", LIGHT_INK),
        "conv_downup": Swatch("#009e73", DARK_INK),
        "conv_2x_downup": Swatch("#cc79a7", DARK_INK),
        "sa": Swatch("#d55e00", LIGHT_INK),
        "conv_2x": Swatch("#56b4e9", DARK_INK),
    }
)
