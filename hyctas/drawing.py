"""A terminal drawing of an architecture on the trellis of scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hyctas.architecture import Architecture
from hyctas.canvas import Canvas
from hyctas.cell import Cell, Operator
from hyctas.tracks import Lane, Track, lanes, tracks

LETTERS: Final[Mapping[Operator, str]] = {
    "skip": "s",
    "conv": "C",
    "conv_downup": "D",
    "conv_2x_downup": "E",
    "sa": "A",
    "conv_2x": "B",
}
"""How each operator is drawn."""

_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_PITCH: Final = 4
_LEFT: Final = 6
"""Columns left of the stem's connector: the names of the scales."""


def draw(architecture: Architecture) -> str:
    """Draw the branches from left to right, one lane for each branch at each scale.

    A cell is the letter of its operator with its width in twelfths as subscript. Trunks that branches share are
    drawn once, in the lane of the first branch that has them. Where lines cross (┼) they do not join.

    Returns:
        Lines of Unicode text without colour: title, layer numbers, trellis, legend.
    """
    ordered = lanes(architecture)
    canvas = Canvas()
    for row, (scale, _) in enumerate(ordered):
        if row == 0 or ordered[row - 1].scale != scale:
            canvas.text(0, row, f"1/{8 << scale}")
    rows = {lane: row for row, lane in enumerate(ordered)}
    for track in tracks(architecture):
        _draw_track(canvas, track, rows)
    return "\n".join((_title(architecture), "", _numbers(architecture), *canvas.lines(), "", _legend(architecture)))


def _column(layer: int) -> int:
    """The column at which the cell of a layer starts; the connector that feeds it is one to the left."""
    return _LEFT + 1 + layer * _PITCH


def _draw_track(canvas: Canvas, track: Track, rows: Mapping[Lane, int]) -> None:
    row = rows[track.origin]
    for layer in range(track.start, len(track.branch.cells)):
        target = rows[Lane(track.branch.scales[layer], track.index)]
        connector = _column(layer) - 1
        canvas.vertical(connector, row, target)
        canvas.horizontal(connector, connector + _PITCH, target)
        canvas.text(connector + 1, target, _label(track.branch.cells[layer]))
        row = target
    canvas.text(_column(len(track.branch.cells)) - 1, row, f"▸ {track.index}")


def _label(cell: Cell) -> str:
    width = "" if cell.width is None else str(cell.width).translate(_SUBSCRIPTS)
    return LETTERS[cell.op] + width


def _title(architecture: Architecture) -> str:
    size = architecture.input
    classes = "class" if architecture.classes == 1 else "classes"
    return (
        f"{architecture.space}  input {size.batch}x3x{size.height}x{size.width}  base channels "
        f"{architecture.base_channels}  stem {architecture.stem_width}/12  head {architecture.head} "
        f"{architecture.head_width}/12  {architecture.attention} attention  {architecture.classes} {classes}  "
        f"{architecture.output}"
    )


def _numbers(architecture: Architecture) -> str:
    layers = range(max(len(branch.cells) for branch in architecture.branches))
    return (" " * (_LEFT + 1) + "".join(f"{layer:<{_PITCH}}" for layer in layers)).rstrip()


def _legend(architecture: Architecture) -> str:
    used = {cell.op for branch in architecture.branches for cell in branch.cells}
    letters = "  ".join(f"{letter} {op}" for op, letter in LETTERS.items() if op in used)
    return f"{letters}  subscript: width in twelfths  ▸ n: end of branches[n]"
