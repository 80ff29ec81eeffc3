"""Where the time of one graph goes: its layers as the runtime splits them, beside its latency end to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hyctas.errors import MeasuringError
from hyctas.graph import Graph
from hyctas.measurement import Measurement
from hyctas.workload import Workload
from profiler.runtimes.engine import LayerTime
from profiler.session import Outcome, Session, SessionSettings


@dataclass(frozen=True)
class LayerReport:
    """The layers of a graph on a target.

    Attributes:
        graph: What was measured.
        measurement: The latency end to end, without the profiler.
        layers: Times under the profiler, in the order in which they run.
    """

    graph: Graph
    measurement: Measurement
    layers: tuple[LayerTime, ...]

    @property
    def sum_s(self) -> float:
        """Time of all layers; differs from the latency by what profiling costs and what runs between layers."""
        return sum(layer.latency_s for layer in self.layers)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Nodes that no layer names: computed in advance, or inside of a layer that does not tell its nodes."""
        covered = {node for layer in self.layers for node in layer.nodes}
        return tuple(node.name for node in self.graph.nodes if node.name not in covered)

    @cached_property
    def _place_of(self) -> Mapping[str, str]:
        return {node.name: node.place for node in self.graph.nodes}

    def place(self, node: str) -> str:
        """The place of a node in the network."""
        return self._place_of[node]

    def share(self, seconds: float) -> float:
        """Share of the sum."""
        return seconds / self.sum_s if self.sum_s else 0.0

    def places(self, layer: LayerTime) -> tuple[str, ...]:
        """The places of the network that a layer computes something of, in the order of the graph."""
        return tuple(dict.fromkeys(self._place_of[node] for node in layer.nodes))

    def by_place(self) -> Mapping[tuple[str, ...], float]:
        """Seconds by place, in the order in which places run first.

        A layer that computes something of several places counts for them together; one that names no node (a change of
        layout) counts for ``()``.
        """
        times: dict[tuple[str, ...], float] = {}
        for layer in self.layers:
            places = self.places(layer)
            times[places] = times.get(places, 0.0) + layer.latency_s
        return times


def profile_layers(graph: Graph, settings: SessionSettings) -> LayerReport:
    """Measure a graph, and then its layers, in a process of its own.

    Raises:
        RuntimeUnavailable: The target's runtime cannot be opened.
        MeasuringError: The graph cannot be measured, or the runtime does not tell the time of single layers.
    """
    with Session(settings) as session:
        outcomes = [_without_failure(outcome, settings) for outcome in session.measure_layers(graph.name, graph)]
        whole, split = outcomes
        measurement = Measurement(
            workload_key=Workload(graph).key,
            target=settings.target,
            rounds=whole.rounds,
            call_floor_s=session.call_floor_s,
            protocol=settings.protocol,
            environment=session.environment,
            metric=session.metric,
            process_id=session.process_id,
            engine=whole.facts,
        )
    return LayerReport(graph, measurement, split.layers)


def _without_failure(outcome: Outcome, settings: SessionSettings) -> Outcome:
    if outcome.failure is not None:
        raise MeasuringError(f"{settings.target}: {outcome.name}: {outcome.failure.kind}: {outcome.failure.message}")
    return outcome
