"""Per-layer times of an engine (IProfiler), and which of our nodes each layer computes (engine inspector).

TensorRT serialises layers while it profiles, so these times are never the latency: only their shares mean something.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from hyctas.errors import MeasuringError
from profiler.runtimes.engine import LayerTime
from profiler.runtimes.node_index import NodeIndex
from profiler.runtimes.tensorrt.layer_names import parse_metadata, parse_name

_LOG: Final = logging.getLogger(__name__)
PROFILED_RUNS: Final = 20
"""A layer's time is its median over these runs."""


@dataclass(frozen=True, slots=True)
class InspectedLayer:
    """A layer as the engine inspector describes it.

    Attributes:
        name: Its name; the profiler reports its time under it.
        metadata: Names of ONNX nodes, or empty.
        outputs: Names of the tensors that it writes, where the inspector tells.
    """

    name: str
    metadata: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which nodes of the graph layers compute.

    Attributes:
        nodes: For each layer, nodes in the order of the graph. Layers that run together as a region share a group.
        unknown: Names of layers that say nothing about nodes, although they are no change of layout.
        uncovered: Nodes that no layer computes: optimised away, or inside of an unknown layer.
    """

    nodes: tuple[tuple[str, ...], ...]
    unknown: tuple[str, ...]
    uncovered: tuple[str, ...]


def read_inspection(text: str) -> tuple[InspectedLayer, ...]:
    """The layers in the JSON of ``EngineInspector.get_engine_information``; the same in versions 10 and 11.

    Raises:
        MeasuringError: It is not what an inspector writes.
    """
    try:
        layers = json.loads(text, strict=False)["Layers"]  # separators in metadata may stand there unescaped
        return tuple(_inspected(layer) for layer in layers)
    except (ValueError, KeyError, TypeError) as error:
        raise MeasuringError(
            f"the engine inspector wrote no list of layers ({error!r}): {text[:200]!r}; the engine must be built with "
            "profiling verbosity DETAILED"
        ) from error


def _inspected(layer: Mapping[str, Any] | str) -> InspectedLayer:
    """One entry: an object, or a name only where the engine was built with LAYER_NAMES_ONLY."""
    if isinstance(layer, str):
        return InspectedLayer(layer)
    outputs = tuple(str(tensor["Name"]) for tensor in layer.get("Outputs", ()))
    return InspectedLayer(str(layer["Name"]), str(layer.get("Metadata", "")), outputs)


def attribute(layers: Sequence[InspectedLayer], index: NodeIndex) -> Attribution:
    """Map layers to nodes.

    Metadata count first, then names; regions get the nodes of their range that no layer names; a layer without a word
    about nodes gets the nodes whose outputs it writes.
    """
    named = [_named(layer, index) for layer in layers]
    claimed = {node for nodes in named for node in nodes}
    groups, unknown = [], []
    for layer, nodes in zip(layers, named, strict=True):
        found = nodes or _in_regions(layer, index, claimed) or _written(layer, index)
        if not found and not _changes_layout(layer, index):
            unknown.append(layer.name)
        groups.append(index.in_order(found))
    covered = {node for nodes in groups for node in nodes}
    return Attribution(tuple(groups), tuple(unknown), tuple(name for name in index.names if name not in covered))


def _named(layer: InspectedLayer, index: NodeIndex) -> set[str]:
    """Nodes that metadata or name mention one by one."""
    names = parse_metadata(layer.metadata) or parse_name(layer.name).names
    return {node for node in map(index.find, names) if node is not None}


def _in_regions(layer: InspectedLayer, index: NodeIndex, claimed: set[str]) -> set[str]:
    """Nodes of the ranges that the name mentions, without those that other layers name."""
    regions = parse_name(layer.name).regions
    return {node for first, last in regions for node in index.between(first, last) if node not in claimed}


def _written(layer: InspectedLayer, index: NodeIndex) -> set[str]:
    """Nodes whose outputs a layer without names writes; a change of layout computes none."""
    if parse_name(layer.name).layout:
        return set()
    return {node for node in map(index.find, layer.outputs) if node is not None}


def _changes_layout(layer: InspectedLayer, index: NodeIndex) -> bool:
    mentioned = parse_name(layer.name)
    return mentioned.layout or any(index.is_input(name) for name in mentioned.names)


def layer_times(
    runs: Sequence[Sequence[tuple[str, float]]], inspected: Sequence[InspectedLayer], index: NodeIndex
) -> tuple[LayerTime, ...]:
    """Median time of each layer, in the order in which they ran, with its nodes.

    Args:
        runs: Name and seconds of each layer, as the profiler reported them, run by run.
        inspected: What the inspector says about the layers.
        index: The nodes of the graph.

    Raises:
        MeasuringError: The profiler reported no layers, or other layers in another run.
    """
    orders = {tuple(name for name, _ in run) for run in runs}
    if len(orders) != 1 or not (names := orders.pop()):
        raise MeasuringError(f"the profiler reported different layers in {len(runs)} equal runs, or none at all")
    known = {layer.name: layer for layer in inspected}
    attribution = attribute([known.get(name, InspectedLayer(name)) for name in names], index)
    _tell(attribution)
    times = [median(run[position][1] for run in runs) for position in range(len(names))]
    return tuple(map(LayerTime, names, times, attribution.nodes))


def _tell(attribution: Attribution) -> None:
    if attribution.unknown:
        _LOG.warning("layers that TensorRT tells no nodes of: %s", ", ".join(attribution.unknown))
    if attribution.uncovered:
        _LOG.info("nodes in no layer (optimised away, or in those): %s", ", ".join(attribution.uncovered))


class LayerClock:
    """Collects what TensorRT's profiler reports, run by run.

    Args:
        trt: The module of TensorRT.
    """

    def __init__(self, trt: Any) -> None:
        self.profiler = _profiler(trt, self._report)
        self.runs: list[list[tuple[str, float]]] = []

    def begin(self) -> None:
        """What is reported from now on belongs to another run."""
        self.runs.append([])

    def _report(self, name: str, milliseconds: float) -> None:
        self.runs[-1].append((name, float(milliseconds) * 1e-3))


def _profiler(trt: Any, report: Callable[[str, float], None]) -> Any:
    """An IProfiler; its class can only be written once TensorRT is loaded."""

    class Profiler(trt.IProfiler):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            report(layer_name, ms)

    return Profiler()
