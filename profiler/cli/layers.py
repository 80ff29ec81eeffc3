"""``hyctas profile layers``: where the time of one network or operator goes."""

from __future__ import annotations

import json
import math
import os
from statistics import median
from typing import Annotated, Any

import typer

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_options import ArchitectureFile, read_architecture_file, with_settings
from hyctas.decomposition import decompose
from hyctas.errors import InvalidInput
from hyctas.lowering import lower, lower_part
from hyctas.measurement import Protocol
from hyctas.parts import Part
from profiler.device import LocalMachine
from profiler.layers import LayerReport, profile_layers
from profiler.runtimes.engine import LayerTime
from profiler.session import SessionSettings


@with_settings
def layers(
    file: ArchitectureFile,
    settings: ArchitectureDefaults,
    target: Annotated[
        str, typer.Option("--target", help="What to measure; the device may be left out.")
    ] = "onnxruntime-fp32-t1",
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="PLACE", help="Only the operator at this place, such as branches[0].cells[3]."),
    ] = None,
    build_limit_s: Annotated[
        float | None,
        typer.Option("--build-limit", min=1.0, help="Seconds that the build of the engine may take."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show where the time of one network, or of one of its operators, goes: layer by layer, as the runtime fuses them.

    Nothing is stored. Profiling slows a run down, so look at the shares; the latency is measured without it.
    """
    architecture = read_architecture_file(file, settings)
    graph = lower(architecture) if part is None else lower_part(_part_at(architecture, part))
    found = LocalMachine(os.environ).target(target)
    report = profile_layers(graph, SessionSettings(found, Protocol(), "none", seed=0, build_limit_s=build_limit_s))
    typer.echo(json.dumps(report_json(report, architecture, part)) if as_json else report_text(report))


def report_json(report: LayerReport, architecture: Architecture, part: str | None) -> dict[str, Any]:
    """The report as it is printed with ``--json``."""
    measurement = report.measurement
    half_width = measurement.half_width("none")
    return {
        "target": measurement.target.name,
        "architecture": architecture.key,
        "part": part,
        "graph": report.graph.name,
        "metric": measurement.metric,
        "latency_ms": _latency_s(report) * 1e3,
        "status": measurement.status("none"),
        "half_width": half_width if math.isfinite(half_width) else None,
        "sum_ms": report.sum_s * 1e3,
        "layers": [_layer_json(report, layer) for layer in report.layers],
        "places": [
            {"places": list(places), "latency_ms": seconds * 1e3, "share": report.share(seconds)}
            for places, seconds in report.by_place().items()
        ],
        "uncovered": list(report.uncovered),
        "engine": dict(report.measurement.engine),
        "environment": dict(measurement.environment),
    }


def report_text(report: LayerReport) -> str:
    """The report in words: a table of layers, one of places, and both sums."""
    sum_s, latency_s = report.sum_s, _latency_s(report)
    lines = [f"{report.graph.name} on {report.measurement.target}", "", "      ms  share  layer: nodes"]
    lines += [f"{_cells(report, layer.latency_s)}  {layer.name}: {_nodes(report, layer)}" for layer in report.layers]
    places = report.by_place()
    if len(places) > 1:
        lines += ["", "      ms  share  place"]
        lines += [f"{_cells(report, s)}  {' + '.join(names) or 'no node of ours'}" for names, s in places.items()]
    lines += [
        "",
        f"sum of {len(report.layers)} layers under the profiler: {sum_s * 1e3:.3f} ms",
        f"latency without it ({report.measurement.metric}): {latency_s * 1e3:.3f} ms; "
        f"the sum is {sum_s / latency_s:.0%} of it",
    ]
    if report.measurement.engine:
        lines.append(f"engine: {', '.join(f'{name} {value}' for name, value in report.measurement.engine.items())}")
    if why := report.measurement.instability("none"):
        lines.append(f"the latency is unstable: {why}")
    if report.uncovered:
        lines.append(f"{len(report.uncovered)} nodes in no layer: {', '.join(report.uncovered)}")
    return "\n".join(lines)


def _part_at(architecture: Architecture, place: str) -> Part:
    parts = {placed.place: placed.part for placed in decompose(architecture).parts}
    if place not in parts:
        raise InvalidInput("--part", place, f"a place of this network: {', '.join(parts)}")
    return parts[place]


def _latency_s(report: LayerReport) -> float:
    """Median over undisturbed rounds, not normalised, as the layers are not either."""
    return median(report.measurement.ratios("none"))


def _layer_json(report: LayerReport, layer: LayerTime) -> dict[str, Any]:
    return {
        "name": layer.name,
        "latency_ms": layer.latency_s * 1e3,
        "share": report.share(layer.latency_s),
        "nodes": list(layer.nodes),
        "places": list(report.places(layer)),
    }


def _cells(report: LayerReport, seconds: float) -> str:
    return f"{seconds * 1e3:8.3f}  {report.share(seconds):5.1%}"


def _nodes(report: LayerReport, layer: LayerTime) -> str:
    """The nodes of a layer, those of one place together."""
    groups = [
        f"{place}({', '.join(node.removeprefix(f'{place}.') for node in layer.nodes if report.place(node) == place)})"
        for place in report.places(layer)
    ]
    return " + ".join(groups) or "(no node of ours)"
