"""The chart of predicted against measured latency on one target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from search.report.axis import axis_over
from search.report.comparison import ComparedNetwork, TargetComparison
from search.report.markup import Markup, element, joined
from search.report.plot import Plot, Size, marker, path
from search.report.words import interval, milliseconds, share, short

SIZES: Final = (Size("wide", 520, 480), Size("narrow", 370, 350))


def comparison_chart(compared: TargetComparison) -> Markup:
    """Draw predicted against measured latency, once for wide and once for narrow pages.

    Args:
        compared: At least one network, predicted and measured.
    """
    return joined(_chart(compared, size) for size in SIZES)


def _chart(compared: TargetComparison, size: Size) -> Markup:
    ends = [value for network in compared.networks for value in _extremes_ms(network)]
    x = axis_over(ends, "measured (ms, log)", log=True)
    y = axis_over(ends, "predicted (ms, log)", log=True)
    plot = Plot(size, x, y)
    diagonal = [plot.at(x.low, x.low), plot.at(x.high, x.high)]
    described = f"predicted against measured latency of {len(compared.networks)} networks on {compared.target}"
    marks = (element("path", {"class": "diagonal", "d": path(diagonal)}), *_marks(compared, plot))
    return plot.chart(described, *marks)


def _extremes_ms(network: ComparedNetwork) -> Iterator[float]:
    yield from (network.measured_s * 1e3, network.predicted.low_s * 1e3, network.predicted.high_s * 1e3)


def _marks(compared: TargetComparison, plot: Plot) -> Iterator[Markup]:
    for network in sorted(compared.networks, key=lambda network: network.on_front):
        measured_ms, predicted = network.measured_s * 1e3, network.predicted
        low, high = (plot.at(measured_ms, end_s * 1e3) for end_s in (predicted.low_s, predicted.high_s))
        place = plot.at(measured_ms, predicted.predicted_s * 1e3)
        title = (
            f"{short(network.key)}: predicted {interval(predicted)}, measured {milliseconds(network.measured_s)} "
            f"({share(network.error, signed=True)})"
        )
        member = "member" if network.on_front else "member lesser"
        shape = marker(place, network.branches, 5.0 if network.on_front else 3.5)
        yield element(
            "g",
            {"class": f"b{network.branches}"},
            element("title", None, title),
            element("path", {"class": "whisker", "d": path([low, high])}),
            element("path", {"class": member, "d": shape}),
        )
