"""The frame of a chart, and marks on it, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from search.report.axis import Axis
from search.report.markup import Attributes, Markup, element, number

LEFT: Final = 52
RIGHT: Final = 14
TOP: Final = 12
BOTTOM: Final = 46
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a chart is, and when it is shown.

    Attributes:
        name: ``wide`` or ``narrow``: the page shows the one that fits.
        width: Pixels.
        height: Pixels.
    """

    name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Two axes and the room between them.

    Attributes:
        size: Of the whole chart.
        x: The axis to the right.
        y: The axis up.
    """

    size: Size
    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> Place:
        """Pixels of a point."""
        right = LEFT + self.x.share(x) * (self.size.width - LEFT - RIGHT)
        down = TOP + (1.0 - self.y.share(y)) * (self.size.height - TOP - BOTTOM)
        return right, down

    def chart(self, described: str, *marks: Markup) -> Markup:
        """The whole chart: frame, then marks in order.

        Args:
            described: What it shows, for people who do not see it.
            marks: What is drawn on it.
        """
        attributes: Attributes = {
            "class": f"chart {self.size.name}",
            "role": "img",
            "aria-label": described,
            "viewBox": f"0 0 {self.size.width} {self.size.height}",
        }
        return element("svg", attributes, *self._frame(), *marks)

    def _frame(self) -> Iterator[Markup]:
        left, right, top, bottom = LEFT, self.size.width - RIGHT, TOP, self.size.height - BOTTOM
        for value, text in self.x.ticks((right - left) // 60):
            x, _ = self.at(value, self.y.low)
            yield element("path", {"class": "grid", "d": path([(x, top), (x, bottom)])})
            yield element("text", {"class": "tick", "x": x, "y": bottom + 17, "text-anchor": "middle"}, text)
        for value, text in self.y.ticks((bottom - top) // 45):
            _, y = self.at(self.x.low, value)
            yield element("path", {"class": "grid", "d": path([(left, y), (right, y)])})
            yield element("text", {"class": "tick", "x": left - 7, "y": y + 4, "text-anchor": "end"}, text)
        yield element("path", {"class": "axis", "d": path([(left, top), (left, bottom), (right, bottom)])})
        across: Attributes = {"class": "label", "x": (left + right) / 2, "y": bottom + 38, "text-anchor": "middle"}
        yield element("text", across, self.x.label)
        turned = f"translate(13 {number((top + bottom) / 2)}) rotate(-90)"
        yield element("text", {"class": "label", "transform": turned, "text-anchor": "middle"}, self.y.label)


def path(places: Sequence[Place]) -> str:
    """A line through places, as path data."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)


def staircase(places: Sequence[Place]) -> str:
    """Steps through places in ascending x: level until the next place, as path data."""
    first, *others = places
    return f"M{number(first[0])} {number(first[1])}" + "".join(f"H{number(x)}V{number(y)}" for x, y in others)


def dots(places: Sequence[Place]) -> str:
    """Points of no length, which a round line cap makes dots, as path data."""
    return "".join(f"M{number(x)} {number(y)}h0" for x, y in places)


def marker(place: Place, branches: int, radius: float) -> str:
    """The outline that stands for a branch count: circle, square, triangle; as path data."""
    x, y = place
    r = radius
    if branches == 1:
        arc = f"{number(r)} {number(r)} 0 1 0"
        return f"M{number(x - r)} {number(y)}a{arc} {number(2 * r)} 0a{arc} {number(-2 * r)} 0z"
    if branches == 2:
        side = number(1.8 * r)
        return f"M{number(x - 0.9 * r)} {number(y - 0.9 * r)}h{side}v{side}h-{side}z"
    return path([(x, y - 1.2 * r), (x + 1.15 * r, y + 0.9 * r), (x - 1.15 * r, y + 0.9 * r)]) + "z"


def diamond(place: Place, radius: float) -> str:
    """The outline that stands for a measurement, as path data."""
    x, y = place
    return path([(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]) + "z"
