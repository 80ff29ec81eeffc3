"""Cells of a CSV row as numbers and names; a cell that is none raises with its column and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from db.importing.csv_table import BadLine, Line

LARGEST: Final = 2**20
"""No size, channel count or batch is larger."""
_SEPARATORS: Final = re.compile(r"[;\s]+")


@dataclass(frozen=True, slots=True)
class BadCell(Exception):
    """A cell that is not what its column holds."""

    bad: BadLine


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one line, read by column; a column that the file lacks is an empty cell."""

    line: Line

    def text(self, column: str) -> str:
        """The cell as it stands."""
        return self.line.cells.get(column, "")

    def refused(self, column: str, allowed: str) -> BadCell:
        """The error for a cell."""
        return BadCell(BadLine(self.line.number, column, self.text(column), allowed))

    def choice(self, column: str, allowed: Sequence[str], *, default: str | None = None) -> str:
        """One of some names; an empty cell is the default."""
        text = self.text(column) or default
        if text is None or text not in allowed:
            raise self.refused(column, f"one of {', '.join(name or 'nothing' for name in allowed)}")
        return text

    def integer(self, column: str, *, default: int | None = None) -> int:
        """A whole number from 1; an empty cell is the default."""
        text = self.text(column)
        if not text and default is not None:
            return default
        return self._whole(column, text)

    def integers(self, column: str) -> tuple[int, ...]:
        """Whole numbers joined by ``+``, at least one."""
        return tuple(self._whole(column, text.strip()) for text in self.text(column).split("+"))

    def milliseconds(self, column: str) -> float | None:
        """A time, in seconds; None where the cell is empty."""
        text = self.text(column)
        return self._seconds(column, text) if text else None

    def all_milliseconds(self, column: str) -> tuple[float, ...]:
        """Times separated by semicolons or spaces, in seconds."""
        return tuple(self._seconds(column, text) for text in _SEPARATORS.split(self.text(column)) if text)

    def _whole(self, column: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) <= LARGEST and len(text) <= 10):
            raise self.refused(column, f"a whole number from 1 to {LARGEST}")
        return int(text)

    def _seconds(self, column: str, text: str) -> float:
        try:
            value_s = float(text) / 1000.0
        except ValueError:
            value_s = math.nan
        if not (math.isfinite(value_s) and value_s > 0.0):
            raise self.refused(column, "a positive number of milliseconds, with a point")
        return value_s
