"""Lengths of time as people write them."""

from __future__ import annotations

import math
import re
from typing import Final

import typer

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_FORM: Final = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


def parse_duration_s(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m`` or ``1h30m``.

    Raises:
        BadParameter: It has another form, or is not more than zero.
    """
    found = _FORM.fullmatch(text.strip())
    given = {unit: float(number) for unit, number in (found.groupdict() if found else {}).items() if number}
    total_s = sum(number * _UNITS[unit] for unit, number in given.items())
    if not given or not 0.0 < total_s < math.inf:
        raise typer.BadParameter(f"{text!r} is no length of time; write 90s, 10m or 1h30m")
    return total_s


def described_duration(seconds: float) -> str:
    """Minutes and seconds, such as ``9:05``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
