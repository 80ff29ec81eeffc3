"""Axes of charts: where a value lies, and which values are written beside."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NICE: Final = (1.0, 2.0, 5.0, 10.0)
MARGIN: Final = 0.05
"""Room beyond the extreme values, as a share of the span."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values along a line.

    Attributes:
        label: What it shows, with the unit.
        low: Value at its start.
        high: Value at its end, above `low`.
        log: Whether equal distances are equal ratios; `low` is positive then.
        whole: Whether only whole numbers are written beside it.
    """

    label: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        low, high, at = (self._place(v) for v in (self.low, self.high, value))
        return (at - low) / (high - low)

    def ticks(self, most: int) -> tuple[tuple[float, str], ...]:
        """At most about so many values inside the range, ascending, with their text."""
        if self.log and self.high / self.low >= 10.0:
            values = _by_decades(self.low, self.high, most)
        else:
            values = _evenly(self.low, self.high, most, whole=self.whole)
        if self.log:
            return tuple((value, f"{value:.10g}") for value in values)
        decimals = max((_decimals(value) for value in values), default=0)
        return tuple((value, f"{value:.{decimals}f}") for value in values)

    def _place(self, value: float) -> float:
        return math.log(value) if self.log else value


def axis_over(values: Iterable[float], label: str, *, log: bool = False, whole: bool = False) -> Axis:
    """An axis on which all finite values have room; one that is alone lies in the middle.

    Args:
        values: What to show; without any, 0 to 1 (or 1 to 10) is shown.
        label: What they are, with the unit.
        log: Whether equal distances are equal ratios; only positive values count then.
        whole: Whether they are whole numbers.
    """
    shown = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not shown:
        return Axis(label, 1.0 if log else 0.0, 10.0 if log else 1.0, log, whole)
    low, high = min(shown), max(shown)
    if log:
        room = max((high / low) ** MARGIN, 1.02 if high > low else 1.25)
        return Axis(label, low / room, high * room, log, whole)
    span = high - low
    room = span * MARGIN if span > 0 else 0.5 if whole else max(abs(high) * 0.1, 0.01)
    return Axis(label, low - room, high + room, log, whole)


def _evenly(low: float, high: float, most: int, *, whole: bool) -> list[float]:
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in NICE if nice * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _by_decades(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [value for value in values if low <= value <= high]
        if len(inside) <= most:
            break
    return inside[:: max(1, math.ceil(len(inside) / most))]


def _decimals(value: float) -> int:
    """Decimals that a number needs, as far as its first ten digits tell."""
    _, _, fraction = f"{value:.10g}".partition(".")
    return len(fraction) if "e" not in fraction else 10
