"""The part of the page with a chart of the fronts for each target, and that of convergence."""

from __future__ import annotations

from collections.abc import Iterator

from search.report.blocks import branch_legend, paragraph, section, table
from search.report.convergence_chart import convergence_chart
from search.report.front_chart import front_chart
from search.report.markup import Markup, element
from search.report.values import ReportData
from search.report.words import counted, short


def fronts_section(data: ReportData) -> Markup:
    """The fronts on each target, over every candidate."""
    return section("Fronts", *_fronts(data), name="fronts")


def convergence_section(data: ReportData) -> Markup:
    """Hypervolume by generation."""
    return section("Convergence", *_convergence(data), name="convergence")


def _fronts(data: ReportData) -> Iterator[Markup]:
    if not data.dots:
        yield paragraph("No candidate has an mIoU, so there is nothing to draw.")
        yield from _failures(data)
        return
    measured = any(latency.measured_s is not None for network in data.networks for latency in network.latencies)
    yield branch_legend(data.branch_counts, overall="front of all", measured=measured)
    for position, front in enumerate(data.target_fronts):
        if len(data.target_fronts) > 1:
            yield element("h3", None, front.target)
        yield element("figure", None, front_chart(data, position))
    yield paragraph(" ".join(_reading(data)), soft=True)
    yield from _failures(data)


def _reading(data: ReportData) -> Iterator[str]:
    yield "Faint dots are candidates at the mIoU that the search went by; whiskers are prediction intervals."
    yield _which_miou(data)
    if len(data.branch_counts) == 1:
        yield f"Every candidate has {counted(data.branch_counts[0], 'branch', 'branches')}."
    if any(not dot.eligible for dot in data.dots):
        yield "Grey dots are over a latency limit."
    if len(data.target_fronts) > 1:
        yield "Lines join the networks of a front that nothing on it beats on this target alone."
    if data.left:
        yield (
            f"{counted(len(data.left), 'network')} left the fronts when their mIoU was found with more care: "
            f"{', '.join(map(short, data.left))}."
        )


def _which_miou(data: ReportData) -> str:
    final = sum(network.final_miou is not None for network in data.networks)
    if not data.networks:
        return "No candidate keeps to the limits, so there is no front."
    if final == len(data.networks):
        return "Networks of the fronts stand at their final mIoU, found with more care."
    if not final:
        return "Networks of the fronts stand at the mIoU that the search went by: none was evaluated with more care."
    return f"{final} of {len(data.networks)} networks of the fronts stand at a final mIoU, found with more care."


def _failures(data: ReportData) -> Iterator[Markup]:
    if data.failures:
        yield element("h3", None, f"{counted(len(data.failures), 'candidate')} failed")
        rows = ((short(key), message) for key, message in data.failures.items())
        yield table(("network", "why"), rows, text=(0, 1))


def _convergence(data: ReportData) -> Iterator[Markup]:
    if data.run.reference_point is None:
        yield paragraph("No reference point is stored: the search ended before its first generation did.")
        return
    if not data.convergence:
        yield paragraph("No generation was scored yet.")
        return
    yield branch_legend(data.convergence[-1].by_branches, overall="all")
    yield element("figure", None, convergence_chart(data))
    logs = ", ".join(f"{value:.4g}" for value in data.run.reference_point)
    last = data.convergence[-1]
    yield paragraph(
        f"Hypervolume of everything scored so far, at the mIoU that the search went by, up to the stored point "
        f"({logs}) of 1 - mIoU and the natural logarithm of the latency in seconds on each target. "
        f"{last.overall:.4g} after {counted(last.evaluated, 'candidate')} in "
        f"{counted(len(data.convergence), 'generation')}.{_refitted(data)}",
        soft=True,
    )


def _refitted(data: ReportData) -> str:
    most = max((latency.revision for network in data.networks for latency in network.latencies), default=0)
    if not most:
        return ""
    return f" The predictor was refitted {counted(most, 'time')}; all generations are shown at its last predictions."
