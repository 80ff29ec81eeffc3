"""A network drawn as SVG: its branches over the scales 1/8, 1/16 and 1/32, shared trunks once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hyctas.architecture import Architecture
from hyctas.cell import OPERATORS, SCALES, Cell, Operator
from hyctas.drawing import LETTERS
from hyctas.tracks import Lane, Track, lanes, tracks
from search.report.markup import Attributes, Markup, element
from search.report.palette import OPERATOR_COLOURS

PITCH: Final = 50
"""Pixels from one layer to the next."""
CELL: Final = 32
"""Pixels that a cell is long."""
PER_TWELFTH: Final = 3.25
"""Pixels of a cell's height for each twelfth of width ratio."""
LANE: Final = 48
EMPTY_BAND: Final = 20
BAND_GAP: Final = 4
TOP: Final = 20
STEM_LEFT: Final = 46
STEM: Final = 40
LEFT: Final = STEM_LEFT + STEM + PITCH - CELL
FUSION: Final = 22
HEAD: Final = 58
LEGEND_ROW: Final = 22
LEGEND: Final = 740
"""Pixels that the legend is long."""

STYLE: Final = """
.net text { font: 11px system-ui, sans-serif; fill: var(--ink, #1c2330); }
.net .soft { fill: var(--soft, #5d667e); }
.net .band { fill: var(--ground, #f1f3f8); }
.net .wire { fill: none; stroke: var(--soft, #5d667e); stroke-width: 1.6; stroke-linejoin: round; }
.net .block { fill: var(--paper, #fff); stroke: var(--soft, #5d667e); stroke-width: 1.4; }
.net .attention { fill: none; stroke: var(--attention, #d55e00); stroke-width: 2; }
.net .page { fill: var(--paper, #fff); }
"""
DARK: Final = """
@media (prefers-color-scheme: dark) {
  svg.net { --ink: #e7eaf2; --soft: #97a1b8; --ground: #232a3a; --paper: #181d29; --attention: #ff8a3c; }
}
"""


def network_svg(architecture: Architecture, *, standalone: bool = True) -> str:
    """Draw a network from left to right, as in the terminal drawing: one lane for each branch at each scale.

    A cell has the colour and letter of its operator, and its width ratio as height. Attention, in cells and in the
    head, has round ends and a ring around it.

    Args:
        architecture: What to draw.
        standalone: Whether it is a file of its own, with ground, style and legend; else they are the page's.

    Returns:
        One ``svg`` element.
    """
    plan = _Plan(architecture)
    height = plan.height + (LEGEND_ROW + 6 if standalone else 0)
    width = max(plan.width, LEGEND) if standalone else plan.width
    pieces = [*_frame(width, height)] if standalone else []
    pieces += [*plan.bands(), *plan.numbers(), *plan.wires(), plan.stem(), *plan.cells(), *plan.end()]
    if standalone:
        pieces.append(element("g", {"transform": f"translate(8 {plan.height + 4})"}, *_legend_row()))
    attributes = {
        "xmlns": "http://www.w3.org/2000/svg" if standalone else None,
        "class": "net",
        "role": "img",
        "aria-label": _described(architecture),
        "width": width,
        "height": height,
        "viewBox": f"0 0 {width} {height}",
    }
    return element("svg", attributes, *pieces)


def legend_svg() -> Markup:
    """What the colours, letters, heights and rings of drawings mean, for a page that holds several."""
    attributes: Attributes = {
        "class": "net",
        "role": "img",
        "aria-label": "legend",
        "width": LEGEND,
        "height": LEGEND_ROW,
    }
    return element("svg", {**attributes, "viewBox": f"0 0 {LEGEND} {LEGEND_ROW}"}, *_legend_row())


class _Plan:
    """Where everything goes.

    Args:
        architecture: What to draw.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._tracks = tuple(tracks(architecture))
        self._lanes = lanes(architecture)
        self._bands = {band: (top, height) for band, top, height in self._stacked()}
        self._layers = max(len(branch.cells) for branch in architecture.branches)
        self._fusion = LEFT + self._layers * PITCH + 6
        last_top, last_height = self._bands[SCALES[-1]]
        self.height = last_top + last_height + 2
        self.width = self._fusion + FUSION + PITCH - CELL + HEAD + 6

    def _stacked(self) -> Iterator[tuple[int, float, float]]:
        top = float(TOP)
        for scale in SCALES:
            count = sum(lane.scale == scale for lane in self._lanes)
            height = count * LANE if count else EMPTY_BAND
            yield scale, top, height
            top += height + BAND_GAP

    def _y(self, lane: Lane) -> float:
        """The middle of a lane."""
        within = [other for other in self._lanes if other.scale == lane.scale].index(lane)
        return self._bands[lane.scale][0] + (within + 0.5) * LANE

    def bands(self) -> Iterator[Markup]:
        """The scales as stripes."""
        for scale, (top, height) in self._bands.items():
            yield element("rect", {"class": "band", "x": 0, "y": top, "width": self.width, "height": height, "rx": 4})
            yield element("text", {"x": 6, "y": top + height / 2 + 4}, f"1/{8 << scale}")

    def numbers(self) -> Iterator[Markup]:
        """The layers' numbers, as in the JSON."""
        for layer in range(self._layers):
            x = LEFT + layer * PITCH + CELL / 2
            yield element("text", {"class": "soft", "x": x, "y": 13, "text-anchor": "middle"}, str(layer))

    def stem(self) -> Markup:
        """The stem."""
        return _block(STEM_LEFT, self._y(Lane(0, 0)), STEM, "stem")

    def wires(self) -> Iterator[Markup]:
        """The lines between cells, one for each branch, so that lines that meet by chance stay apart."""
        for track in self._tracks:
            path, lane = [], track.origin
            for layer, scale in enumerate(track.branch.scales[track.start :], start=track.start):
                x = LEFT + layer * PITCH
                bend = x - (PITCH - CELL) / 2 + (track.index - 1) * 4
                target = Lane(scale, track.index)
                path.append(f"M{x - PITCH + CELL:g} {self._y(lane):g}H{bend:g}V{self._y(target):g}H{x}")
                lane = target
            end = LEFT + len(track.branch.cells) * PITCH - PITCH + CELL
            path.append(f"M{end} {self._y(lane):g}H{self._fusion}")
            yield element("path", {"class": "wire", "d": "".join(path)})

    def cells(self) -> Iterator[Markup]:
        """Every cell that is built, once."""
        for track in self._tracks:
            for layer in range(track.start, len(track.branch.cells)):
                y = self._y(Lane(track.branch.scales[layer], track.index))
                width = track.branch.cells[layer].width or self._architecture.head_width
                yield _cell(LEFT + layer * PITCH, y, track.branch.cells[layer], width=width, place=_place(track, layer))

    def end(self) -> Iterator[Markup]:
        """The fusion of all branches, and the head."""
        ends = [self._y(Lane(track.branch.last_scale, track.index)) for track in self._tracks]
        top, bottom = min(ends) - 19, max(ends) + 19
        middle = (top + bottom) / 2
        head = self._fusion + FUSION + PITCH - CELL
        yield element("path", {"class": "wire", "d": f"M{self._fusion + FUSION} {middle:g}H{head}"})
        shape = {"x": self._fusion, "y": top, "width": FUSION, "height": bottom - top, "rx": 4}
        turned = f"translate({self._fusion + FUSION / 2 + 4:g} {middle:g}) rotate(-90)"
        yield element("rect", {"class": "block", **shape})
        yield element("text", {"transform": turned, "text-anchor": "middle"}, "fuse")
        block = _block(head, middle, HEAD, f"head {self._architecture.head}")
        if self._architecture.head == "s4":
            title = element("title", None, "the s4 head holds attention too")
            block = element("g", None, title, block, _ring(head, middle, HEAD, 28))
        yield block


def _frame(width: float, height: float) -> Iterator[Markup]:
    yield element("style", None, Markup(STYLE + DARK))
    yield element("rect", {"class": "page", "width": width, "height": height})


def _block(x: float, y: float, length: float, text: str) -> Markup:
    shape = {"x": x, "y": y - 14, "width": length, "height": 28, "rx": 5}
    label = element("text", {"x": x + length / 2, "y": y + 4, "text-anchor": "middle"}, text)
    return element("g", None, element("rect", {"class": "block", **shape}), label)


def _cell(x: float, y: float, cell: Cell, *, width: int, place: str) -> Markup:
    height = width * PER_TWELFTH
    colours = OPERATOR_COLOURS[cell.op]
    radius = min(height, CELL) / 2 if cell.op == "sa" else 3
    shape = {"x": x, "y": y - height / 2, "width": CELL, "height": height, "rx": radius, "fill": colours.fill}
    size = element("tspan", {"font-size": "8", "dy": 2}, "" if cell.width is None else str(cell.width))
    label: Attributes = {"x": x + CELL / 2, "y": y + 3.5, "text-anchor": "middle", "style": f"fill:{colours.ink}"}
    pieces = [
        element("title", None, f"{place}: {cell.op}, width {width}/12{', halves the resolution' if cell.down else ''}"),
        element("rect", shape),
        element("text", label, LETTERS[cell.op], size),
    ]
    if cell.op == "sa":
        pieces.append(_ring(x, y, CELL, height))
    return element("g", {"data-op": cell.op}, *pieces)


def _ring(x: float, y: float, length: float, height: float) -> Markup:
    """The mark of attention."""
    tall = height + 6
    shape = {"x": x - 3, "y": y - tall / 2, "width": length + 6, "height": tall, "rx": min(tall, length + 6) / 2}
    return element("rect", {"class": "attention", **shape})


def _place(track: Track, layer: int) -> str:
    return f"branches[{track.index}].cells[{layer}]"


def _legend_row() -> Iterator[Markup]:
    x = 4.0
    for op in OPERATORS:
        colours = OPERATOR_COLOURS[op]
        shape = {"x": x, "y": 4, "width": 16, "height": 14, "rx": 7 if op == "sa" else 3, "fill": colours.fill}
        yield element("rect", shape)
        inside: Attributes = {"x": x + 8, "y": 15, "text-anchor": "middle", "style": f"fill:{colours.ink}"}
        yield element("text", inside, LETTERS[op])
        if op == "sa":
            yield element("rect", {"class": "attention", "x": x - 2, "y": 2, "width": 20, "height": 18, "rx": 9})
        text = "attention" if op == "sa" else op
        yield element("text", {"x": x + 22, "y": 15}, text)
        x += _ADVANCE[op]
    yield element("text", {"class": "soft", "x": x, "y": 15}, "height, number: width in twelfths")


_ADVANCE: Final[Mapping[Operator, float]] = {
    "skip": 60,
    "conv": 64,
    "conv_downup": 108,
    "conv_2x_downup": 126,
    "sa": 90,
    "conv_2x": 86,
}
"""Room for each operator in the legend."""


def _described(architecture: Architecture) -> str:
    count = len(architecture.branches)
    attention = sum(track.branch.cells[layer].op == "sa" for track, layer in _built(architecture))
    cells = sum(1 for _ in _built(architecture))
    return f"network of {count} branch{'' if count == 1 else 'es'}: {cells} cells, {attention} of them attention"


def _built(architecture: Architecture) -> Iterator[tuple[Track, int]]:
    for track in tracks(architecture):
        for layer in range(track.start, len(track.branch.cells)):
            yield track, layer
