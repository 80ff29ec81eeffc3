"""The chart of hypervolume by generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from search.report.axis import axis_over
from search.report.markup import Markup, element, joined
from search.report.plot import Place, Plot, Size, dots, path
from search.report.values import ReportData

SIZES: Final = (Size("wide", 820, 320), Size("narrow", 370, 300))


def convergence_chart(data: ReportData) -> Markup:
    """Draw hypervolume by generation, once for wide and once for narrow pages.

    Args:
        data: A search with at least one generation and a reference point.
    """
    return joined(_chart(data, size) for size in SIZES)


def _chart(data: ReportData, size: Size) -> Markup:
    volumes = data.convergence
    shown = [volume.overall for volume in volumes]
    shown += [value for volume in volumes for value in volume.by_branches.values()]
    x = axis_over([volume.generation for volume in volumes], "generation", whole=True)
    plot = Plot(size, x, axis_over(shown, "hypervolume"))
    described = f"hypervolume from {volumes[0].overall:.4g} to {volumes[-1].overall:.4g} in {len(volumes)} generations"
    return plot.chart(described, *_lines(data, plot))


def _lines(data: ReportData, plot: Plot) -> Iterator[Markup]:
    volumes = data.convergence
    yield from _line([plot.at(volume.generation, volume.overall) for volume in volumes], "overall")
    for branches in volumes[-1].by_branches:
        places = [plot.at(volume.generation, volume.by_branches[branches]) for volume in volumes]
        yield from _line(places, f"front b{branches}")


def _line(places: list[Place], kind: str) -> Iterator[Markup]:
    yield element("path", {"class": kind, "d": path(places)})
    if len(places) == 1:
        yield element("path", {"class": f"{kind} alone", "d": dots(places)})
