"""What a runtime must offer to be measured, and what it may offer besides.

An :class:`Engine` and a :class:`Runtime` are all that is needed. Where a device has a clock of its own, engines are
:class:`SelfTimed`; where its state can be read, the runtime is :class:`Monitored`; where the runtime can tell the time
of single layers, engines are :class:`Layered`; where it can tell the memory of an engine, they are :class:`Described`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hyctas.errors import MeasuringError
from hyctas.graph import Graph
from hyctas.measurement import DeviceConditions
from hyctas.target import Metric

__all__ = [
    "Described",
    "DeviceConditions",
    "Engine",
    "LayerTime",
    "Layered",
    "Metric",
    "Monitored",
    "Runtime",
    "SelfTimed",
    "Unsupported",
]


class Engine(Protocol):
    """A graph that a runtime has made ready, with its inputs in place."""

    def run(self) -> None:
        """Run once, synchronously."""

    def finite(self) -> bool:
        """Run once and tell whether every output is finite."""


@runtime_checkable
class SelfTimed(Protocol):
    """An engine that times its runs itself, by the clock of its device (CUDA events)."""

    def time_s(self, repeats: int) -> float:
        """Seconds of one run: the mean of `repeats` back to back. Returns when they are done."""


@dataclass(frozen=True, slots=True)
class LayerTime:
    """The time of one layer of an engine, as its runtime split it up.

    Attributes:
        name: The runtime's name of the layer.
        latency_s: Its time a run.
        nodes: Names of the nodes of the graph that it computes, in the order of the graph; empty where it computes
            none (a change of layout) or where the runtime does not tell.
    """

    name: str
    latency_s: float
    nodes: tuple[str, ...]


@runtime_checkable
class Layered(Protocol):
    """An engine that can tell the time of each layer."""

    def layers(self) -> Sequence[LayerTime]:
        """Run under the runtime's profiler, and return its layers in the order in which they run.

        Profiling slows a run down: the sum is not the latency, only the shares mean something.
        """


@runtime_checkable
class Described(Protocol):
    """An engine that knows more about itself than its latency."""

    def facts(self) -> Mapping[str, str]:
        """Such as the memory that it takes; units are in the names."""


class Runtime(Protocol):
    """A runtime inside a measuring process."""

    @property
    def metric(self) -> Metric:
        """What samples of its engines are times of: the metric of the target that it was opened for."""

    def prepare(self, graph: Graph, *, seed: int) -> Engine:
        """Load `graph` with seeded weights and inputs.

        Raises:
            Unsupported: The runtime cannot run this graph.
        """

    def environment(self) -> Mapping[str, str]:
        """Versions and settings that the name of the target does not say."""


@runtime_checkable
class Monitored(Protocol):
    """A runtime on a device whose state can be read."""

    def conditions(self) -> DeviceConditions:
        """Clocks, temperature, power and throttle reasons; the latter since the call before."""


class Unsupported(MeasuringError):
    """A runtime cannot run a graph, an option or a precision; becomes a failed measurement."""
