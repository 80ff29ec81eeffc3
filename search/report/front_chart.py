"""The chart of mIoU against latency on one target: every candidate, and the fronts among them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from search.report.axis import axis_over
from search.report.markup import Attributes, Markup, element, joined
from search.report.plot import Place, Plot, Size, diamond, dots, marker, path, staircase
from search.report.values import FrontNetwork, ReportData, TargetFronts
from search.report.words import anchor, counted, interval, milliseconds, short

SIZES: Final = (Size("wide", 820, 460), Size("narrow", 370, 360))
LABEL_ROOM: Final = (20.0, 12.0)
"""Pixels across and down that a number beside a network takes."""


def front_chart(data: ReportData, target: int) -> Markup:
    """Draw the fronts on a target, once for wide and once for narrow pages.

    Args:
        data: The search; at least one candidate was evaluated.
        target: Position of the target.
    """
    return joined(_FrontChart(data, target, size).drawn() for size in SIZES)


class _FrontChart:
    """One chart.

    Args:
        data: The search.
        target: Position of the target.
        size: Of the chart.
    """

    def __init__(self, data: ReportData, target: int, size: Size) -> None:
        self._data = data
        self._target = target
        self._fronts: TargetFronts = data.target_fronts[target]
        self._networks = data.networks
        self._numbers = {n.key: position for position, n in enumerate(data.networks, start=1)}
        dots = [dot.latency_s[target] * 1e3 for dot in data.dots]
        x = axis_over((*dots, *self._extremes_ms()), "latency (ms, log)", log=True)
        y = axis_over((*(dot.miou for dot in data.dots), *(n.miou for n in self._networks)), "mIoU")
        self._plot = Plot(size, x, y)

    def drawn(self) -> Markup:
        """The whole chart."""
        described = f"mIoU against latency on {self._fronts.target}: {len(self._data.dots)} candidates, " + (
            f"{sum(n.overall for n in self._networks)} of them on the front of all"
        )
        marks = (*self._limit(), *self._candidates(), *self._lines(), *self._members(), *self._labels())
        return self._plot.chart(described, *marks)

    def _extremes_ms(self) -> Iterator[float]:
        for network in self._networks:
            latency = network.latencies[self._target]
            yield from (latency.low_s * 1e3, latency.high_s * 1e3)
            if latency.measured_s is not None:
                yield latency.measured_s * 1e3

    def _at(self, network: FrontNetwork) -> Place:
        return self._plot.at(network.latencies[self._target].predicted_s * 1e3, network.miou)

    def _limit(self) -> Iterator[Markup]:
        limit_s = self._fronts.limit_s
        if limit_s is None or not 0.0 <= self._plot.x.share(limit_s * 1e3) <= 1.0:
            return
        top = self._plot.at(limit_s * 1e3, self._plot.y.high)
        bottom = self._plot.at(limit_s * 1e3, self._plot.y.low)
        yield element("path", {"class": "limit", "d": path([top, bottom])})
        yield element("text", {"class": "tick", "x": top[0] - 4, "y": top[1] + 12, "text-anchor": "end"}, "limit")

    def _candidates(self) -> Iterator[Markup]:
        """Faint dots; those that break a limit without the colour of their branch count."""
        for branches in self._data.branch_counts:
            places = self._places(branches, eligible=True)
            if places:
                yield element("path", {"class": f"dots b{branches}", "d": dots(places)})
        refused = [place for count in self._data.branch_counts for place in self._places(count, eligible=False)]
        if refused:
            yield element("path", {"class": "dots refused", "d": dots(refused)})

    def _places(self, branches: int, *, eligible: bool) -> list[Place]:
        found = (dot for dot in self._data.dots if dot.branches == branches and dot.eligible == eligible)
        return [self._plot.at(dot.latency_s[self._target] * 1e3, dot.miou) for dot in found]

    def _lines(self) -> Iterator[Markup]:
        """The fronts as steps: the best mIoU that is to be had at a latency; that of all lies under the others."""
        by_key = self._data.by_key
        if self._fronts.overall:
            places = self._ends(by_key[key] for key in self._fronts.overall)
            yield element("path", {"class": "overall", "d": staircase(places)})
        for branches, keys in self._fronts.by_branches.items():
            if keys:
                places = self._ends(by_key[key] for key in keys)
                yield element("path", {"class": f"front b{branches}", "d": staircase(places)})

    def _ends(self, networks: Iterable[FrontNetwork]) -> list[Place]:
        """The places of networks, and where the last one's line leaves the chart, or meets the limit."""
        places = [self._at(network) for network in networks]
        limit_ms = math.inf if self._fronts.limit_s is None else self._fronts.limit_s * 1e3
        right, _ = self._plot.at(min(self._plot.x.high, limit_ms), self._plot.y.low)
        return [*places, (right, places[-1][1])]

    def _members(self) -> Iterator[Markup]:
        for network in sorted(self._networks, key=lambda network: network.overall):
            latency = network.latencies[self._target]
            low, high = (self._plot.at(end_s * 1e3, network.miou) for end_s in (latency.low_s, latency.high_s))
            shape = marker(self._at(network), network.branches, 5.0 if network.overall else 3.5)
            member = "member" if network.overall else "member lesser"
            pieces = [
                element("title", None, _tooltip(network, self._target, self._numbers)),
                element("path", {"class": "whisker", "d": path([low, high])}),
                element("path", {"class": member, "d": shape}),
            ]
            if latency.measured_s is not None:
                measured = self._plot.at(latency.measured_s * 1e3, network.miou)
                pieces.append(element("path", {"class": "measured", "d": diamond(measured, 4.5)}))
            yield element("a", {"class": f"b{network.branches}", "href": f"#{anchor(network.key)}"}, *pieces)

    def _labels(self) -> Iterator[Markup]:
        """Numbers of networks on the front of all, up and left of them, where the front leaves room."""
        taken: list[Place] = []
        for network in (network for network in self._networks if network.overall):
            x, y = self._at(network)
            place = (x - 7.0, y - 8.0)
            if _apart(place, taken):
                taken.append(place)
                attributes: Attributes = {"class": "number", "x": place[0], "y": place[1], "text-anchor": "end"}
                yield element("text", attributes, str(self._numbers[network.key]))


def _apart(place: Place, others: Sequence[Place]) -> bool:
    return all(abs(place[0] - x) >= LABEL_ROOM[0] or abs(place[1] - y) >= LABEL_ROOM[1] for x, y in others)


def _tooltip(network: FrontNetwork, target: int, numbers: Mapping[str, int]) -> str:
    latency = network.latencies[target]
    branches = counted(network.branches, "branch", "branches")
    measured = "" if latency.measured_s is None else f", measured {milliseconds(latency.measured_s)}"
    return (
        f"network {numbers[network.key]} ({short(network.key)}), {branches}: mIoU {network.miou:.3f}, "
        f"predicted {interval(latency)}{measured}"
    )
