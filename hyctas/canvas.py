"""A canvas of text and box-drawing lines whose crossings and corners join by themselves."""

from __future__ import annotations

from enum import IntFlag
from typing import Final


class _Arm(IntFlag):
    """The directions in which a line leaves the middle of a character."""

    UP = 1
    DOWN = 2
    LEFT = 4
    RIGHT = 8


_CHARACTERS: Final = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
"""The box-drawing character of every combination of arms, at its number."""


class Canvas:
    """Characters on a grid that grows as needed; text covers lines."""

    def __init__(self) -> None:
        self._arms: dict[tuple[int, int], _Arm] = {}
        self._texts: dict[tuple[int, int], str] = {}

    def text(self, column: int, row: int, text: str) -> None:
        """Write `text` from `column` on."""
        for offset, character in enumerate(text):
            self._texts[column + offset, row] = character

    def horizontal(self, start: int, end: int, row: int) -> None:
        """Draw a line from the middle of column `start` to the middle of column `end`."""
        for column in range(start, end):
            self._join(column, row, _Arm.RIGHT)
            self._join(column + 1, row, _Arm.LEFT)

    def vertical(self, column: int, start: int, end: int) -> None:
        """Draw a line from the middle of row `start` to the middle of row `end`, in either direction."""
        for row in range(min(start, end), max(start, end)):
            self._join(column, row, _Arm.DOWN)
            self._join(column, row + 1, _Arm.UP)

    def lines(self) -> list[str]:
        """Render, without trailing spaces."""
        places = self._arms.keys() | self._texts.keys()
        height = max((row for _, row in places), default=-1) + 1
        width = max((column for column, _ in places), default=-1) + 1
        return ["".join(self._at(column, row) for column in range(width)).rstrip() for row in range(height)]

    def _join(self, column: int, row: int, arm: _Arm) -> None:
        self._arms[column, row] = self._arms.get((column, row), _Arm(0)) | arm

    def _at(self, column: int, row: int) -> str:
        return self._texts.get((column, row)) or _CHARACTERS[self._arms.get((column, row), _Arm(0))]
