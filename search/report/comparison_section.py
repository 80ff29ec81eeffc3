"""The part of the page that sets predicted against measured latency."""

from __future__ import annotations

from collections.abc import Iterator

from search.drift import Drift
from search.report.blocks import branch_legend, folded, paragraph, section, table
from search.report.comparison import ComparedNetwork, TargetComparison
from search.report.comparison_chart import comparison_chart
from search.report.markup import Markup, element
from search.report.values import ReportData
from search.report.words import NONE, anchor, counted, interval, milliseconds, share, short

SHOWN_ROWS = 30
"""Rows of a table before the rest is folded away."""


def comparison_section(data: ReportData) -> Markup:
    """Predicted against measured latency on each target."""
    return section("Predicted against measured", *_targets(data), name="measured")


def _targets(data: ReportData) -> Iterator[Markup]:
    for compared in data.comparisons:
        if len(data.comparisons) > 1:
            yield element("h3", None, compared.target)
        yield from _target(data, compared)


def _target(data: ReportData, compared: TargetComparison) -> Iterator[Markup]:
    if compared.unforecast:
        left_out = counted(compared.unforecast, "measured network")
        yield paragraph(f"{left_out} left out: measured before the predictor was asked about it.", soft=True)
    if not compared.networks:
        yield paragraph(
            f"No network of this search was measured on {compared.target}, so its latencies are predictions alone. "
            "Search with --measure where the target is at hand."
        )
        return
    counts = sorted({network.branches for network in compared.networks})
    columns = element("div", {"class": "beside"}, _chart(compared), _summary(compared))
    yield branch_legend(counts, overall="")
    yield columns
    yield paragraph(
        "Error is predicted over measured, less one: below zero the network was predicted too fast. A prediction "
        "counts if it was made before the network was measured. Large marks are networks of a front.",
        soft=True,
    )
    numbers = {network.key: position for position, network in enumerate(data.networks, start=1)}
    rows = [_row(network, numbers.get(network.key)) for network in compared.networks]
    header = ("network", "key", "branches", "mIoU", "predicted [interval]", "measured", "error", "inside", "tier")
    yield table(header, rows[:SHOWN_ROWS], text=(0, 1, 8))
    if len(rows) > SHOWN_ROWS:
        yield folded(f"{len(rows) - SHOWN_ROWS} more", table(header, rows[SHOWN_ROWS:], text=(0, 1, 8)))
    yield from _inversions(compared, numbers)


def _chart(compared: TargetComparison) -> Markup:
    return element("figure", None, comparison_chart(compared))


def _summary(compared: TargetComparison) -> Markup:
    """How far predictions were off, over the fronts and over everything that was measured."""
    groups = [("fronts", compared.front)] if compared.front is not None else []
    if compared.everything is not None and compared.everything != compared.front:
        groups.append(("all measured", compared.everything))
    columns = [_figures(drift) for _, drift in groups if drift is not None]
    sizes = ("networks measured", *(str(drift.networks) for _, drift in groups if drift is not None))
    rows = [sizes, *((name, *(column[name] for column in columns)) for name in columns[0])]
    measured = sum(network.on_front for network in compared.networks)
    note = paragraph(f"{measured} of {counted(compared.front_size, 'network')} of the fronts were measured.", soft=True)
    return element("div", None, table(("", *(name for name, _ in groups)), rows), note)


def _figures(drift: Drift) -> dict[str, str]:
    nominal = f" (nominal {drift.nominal_coverage:.0%})" if drift.nominal_coverage else ""
    return {
        "mean absolute error": share(drift.mape),
        "mean error (bias)": share(drift.bias, signed=True),
        "worst absolute error": share(drift.worst),
        "pairs in the wrong order": f"{drift.inversions} of {drift.pairs}",
        "hypervolume lost": share(drift.hypervolume_lost),
        "intervals that hold": f"{share(drift.coverage)}{nominal}",
    }


def _row(network: ComparedNetwork, position: int | None) -> tuple[str, ...]:
    where = NONE if position is None else element("a", {"href": f"#{anchor(network.key)}"}, str(position))
    return (
        where,
        short(network.key),
        str(network.branches),
        f"{network.miou:.3f}",
        interval(network.predicted),
        milliseconds(network.measured_s),
        share(network.error, signed=True),
        "yes" if network.inside else "no",
        network.predicted.tier,
    )


def _inversions(compared: TargetComparison, numbers: dict[str, int]) -> Iterator[Markup]:
    if not compared.inversions:
        return
    pairs = (
        f"network {numbers.get(faster, short(faster))} is faster than {numbers.get(slower, short(slower))}"
        for faster, slower in compared.inversions
    )
    count = counted(len(compared.inversions), "pair")
    entries = (element("li", None, pair) for pair in pairs)
    yield folded(
        f"{count} of the fronts measured in another order than predicted", element("ul", {"class": "many"}, *entries)
    )
