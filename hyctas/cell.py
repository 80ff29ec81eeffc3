"""Cells and branches: the candidate operators on one path through the trellis of scales.

A cell has one of a few dozen forms, so each form has a one-byte *code* and a branch is a byte string too:
comparing, keying and merging branches work on bytes. Codes are part of every architecture key, so they
never change; a new operator gets the next number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

from hyctas.errors import InvalidArchitecture

Operator = Literal["skip", "conv", "conv_downup", "conv_2x_downup", "sa", "conv_2x"]
Width = Literal[4, 6, 8, 10, 12]

OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
"""Names of the candidate operators; the position is the number inside a cell's code."""
WIDTHS: Final[tuple[Width, ...]] = get_args(Width)
"""Width ratios, in twelfths."""
SCALES: Final = (0, 1, 2)
"""Scale indices; scale s has stride 2 ** (3 + s)."""
MAX_CELLS: Final = 64
"""Most cells of one branch that the format accepts; a search space is narrower."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One layer of a branch.

    Attributes:
        op: Its candidate operator.
        width: Width ratio of its output in twelfths; None on the last cell of a branch, which the head width rules.
        down: Whether it halves the resolution.

    Raises:
        InvalidArchitecture: A value is outside its choices, or a cell without a width goes down.
    """

    op: Operator
    width: Width | None
    down: bool

    def __post_init__(self) -> None:
        """Refuse a cell that has no code."""
        if self.op not in OPERATORS:
            raise InvalidArchitecture("$.op", self.op, f"one of {', '.join(OPERATORS)}")
        if self.width is not None and self.width not in WIDTHS:
            raise InvalidArchitecture("$.width", self.width, f"one of {', '.join(map(str, WIDTHS))} (twelfths)")
        if self.width is None and self.down:
            raise InvalidArchitecture("$.down", self.down, "false: the last cell of a branch never goes down")

    @property
    def code(self) -> int:
        """The form of this cell as one byte: operator x 16 + (width position + 1, or 0) x 2 + down."""
        width = 0 if self.width is None else WIDTHS.index(self.width) + 1
        return OPERATORS.index(self.op) << 4 | width << 1 | self.down


def _every_cell() -> tuple[Cell, ...]:
    inner = [Cell(op, width, down) for op in OPERATORS for width in WIDTHS for down in (False, True)]
    return (*inner, *(Cell(op, None, False) for op in OPERATORS))


CELL_OF_CODE: Final = {cell.code: cell for cell in _every_cell()}
"""The one shared instance of every form of cell, by code."""

_KEPT: Final = bytes(code for code in range(256) if code not in CELL_OF_CODE or not CELL_OF_CODE[code].down)
_INNER: Final = bytes(code for code, cell in CELL_OF_CODE.items() if cell.width is not None)
_LAST: Final = bytes(code for code, cell in CELL_OF_CODE.items() if cell.width is None)
_WELL_FORMED: Final = re.compile(b"[%b]{0,%d}[%b]" % (re.escape(_INNER), MAX_CELLS - 1, re.escape(_LAST)))


@dataclass(frozen=True)
class Branch:
    """One path through the trellis, from the stride-8 stem feature to the scale at which it ends.

    Attributes:
        cells: 1 to 64 cells; every one but the last has a width, the last never goes down, at most two go down.

    Raises:
        InvalidArchitecture: The cells break one of these rules; the path is relative to the branch.
    """

    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        """Check the rules on the byte codes, which is fast, and explain a breach on the cells."""
        if not _WELL_FORMED.fullmatch(self.code) or self.last_scale > SCALES[-1]:
            _refuse(self.cells)

    @classmethod
    def from_code(cls, code: bytes) -> Branch:
        """Build the branch whose cells have these codes.

        Raises:
            InvalidArchitecture: A code names no cell, or the cells break a rule of branches.
        """
        try:
            cells = tuple(map(CELL_OF_CODE.__getitem__, code))
        except KeyError as error:
            raise InvalidArchitecture("$.cells", code, "bytes that are codes of cells") from error
        branch = cls.__new__(cls)
        branch.__dict__.update(cells=cells, code=code)
        branch.__post_init__()
        return branch

    def __hash__(self) -> int:
        """Hash the code, which names the cells completely."""
        return hash(self.code)

    @cached_property
    def code(self) -> bytes:
        """One byte a cell; equal branches have equal codes."""
        return bytes(cell.code for cell in self.cells)

    @property
    def last_scale(self) -> int:
        """Scale index at which the branch ends: how often it goes down."""
        return len(self.code.translate(None, _KEPT))

    @property
    def scales(self) -> tuple[int, ...]:
        """Scale index of every cell's input; it rises after a cell that goes down."""
        scale, scales = 0, []
        for cell in self.cells:
            scales.append(scale)
            scale += cell.down
        return tuple(scales)


def _refuse(cells: tuple[Cell, ...]) -> None:
    """Raise the error that tells which rule of branches `cells` break first."""
    if not 1 <= len(cells) <= MAX_CELLS:
        raise InvalidArchitecture("$.cells", f"{len(cells)} cells", f"1 to {MAX_CELLS} cells")
    scale, last = 0, len(cells) - 1
    for index, cell in enumerate(cells):
        if index < last and cell.width is None:
            raise InvalidArchitecture(f"$.cells[{index}].width", None, f"one of {WIDTHS}: only the last cell has none")
        if index == last and cell.width is not None:
            raise InvalidArchitecture(
                f"$.cells[{index}].width", cell.width, "no width: the head width rules the last cell"
            )
        scale += cell.down
        if scale > SCALES[-1]:
            raise InvalidArchitecture(f"$.cells[{index}].down", True, "at most two cells of a branch that go down")
