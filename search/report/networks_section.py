"""The part of the page that shows each network of the fronts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from db.records import CandidateLatency
from hyctas.architecture_json import to_json
from search.report.blocks import facts, folded, paragraph, section
from search.report.markup import Markup, element
from search.report.network_drawing import legend_svg, network_svg
from search.report.values import FrontNetwork, ReportData
from search.report.words import amount, anchor, counted, interval, milliseconds, share, short


def networks_section(data: ReportData) -> Markup:
    """Every network of a front, drawn, with its numbers; those of one branch count's front alone are folded away."""
    return section("Networks of the fronts", *_networks(data), name="networks")


def _networks(data: ReportData) -> Iterator[Markup]:
    if not data.networks:
        yield paragraph("There is no front yet, so there is no network to show.")
        return
    yield element("div", {"class": "scroll drawing"}, legend_svg())
    yield paragraph(
        "From left to right: the layers, on the scales 1/8, 1/16 and 1/32 of the image. A trunk that branches share "
        "is drawn once. Attention has round ends and a ring.",
        soft=True,
    )
    numbered = list(enumerate(data.networks, start=1))
    for position, network in numbered:
        if network.overall:
            yield _network(network, position, data.run.targets)
    others = [_network(n, position, data.run.targets) for position, n in numbered if not n.overall]
    if others:
        yield folded(f"{counted(len(others), 'network')} on the front of their branch count only", *others)


def _network(network: FrontNetwork, position: int, targets: Sequence[str]) -> Markup:
    heading = element(
        "h3",
        None,
        f"{position}. mIoU {network.miou:.3f} ",
        element("small", None, f"{counted(network.branches, 'branch', 'branches')}, {short(network.key)}"),
    )
    drawing = Markup(network_svg(network.architecture, standalone=False))
    document = json.dumps(to_json(network.architecture), indent=1)
    return element(
        "article",
        {"id": anchor(network.key)},
        heading,
        element("div", {"class": "scroll drawing"}, drawing),
        facts(_facts(network, targets)),
        folded("Architecture JSON", element("pre", None, element("code", None, document))),
    )


def _facts(network: FrontNetwork, targets: Sequence[str]) -> Iterator[tuple[str, str]]:
    for target, latency in zip(targets, network.latencies, strict=True):
        yield f"latency on {target}" if len(targets) > 1 else "latency", _latency(latency)
    yield "mIoU", _miou(network)
    costs = network.costs
    yield "MACs", f"{amount(costs.macs)} ({amount(costs.conv_macs)} of convolutions)"
    yield "parameters", amount(costs.parameters)
    yield "peak activations", f"{amount(costs.peak_activation_bytes)}B"
    yield "scored in generation", str(network.generation)


def _latency(latency: CandidateLatency) -> str:
    if latency.tier == "measured":
        return f"{milliseconds(latency.measured_s or latency.predicted_s)}, measured"
    words = f"predicted {interval(latency)}, {latency.tier}"
    if latency.measured_s is None:
        return f"{words}; not measured"
    error = share(latency.predicted_s / latency.measured_s - 1.0, signed=True)
    return f"{words}; measured {milliseconds(latency.measured_s)} ({error})"


def _miou(network: FrontNetwork) -> str:
    if network.final_miou is None:
        return f"{network.search_miou:.4f} in the search, not evaluated again"
    return f"{network.final_miou:.4f} finally, {network.search_miou:.4f} in the search"
