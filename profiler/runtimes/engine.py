"""What a runtime must offer to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hyctas.errors import MeasuringError
from hyctas.graph import Graph


class Engine(Protocol):
    """A graph that a runtime has made ready, with its inputs in place."""

    def run(self) -> None:
        """Run once, synchronously."""

    def finite(self) -> bool:
        """Run once and tell whether every output is finite."""


class Runtime(Protocol):
    """A runtime inside a measuring process."""

    def prepare(self, graph: Graph, *, seed: int) -> Engine:
        """Load `graph` with seeded weights and inputs.

        Raises:
            Unsupported: The runtime cannot run this graph.
        """

    def environment(self) -> Mapping[str, str]:
        """Versions and settings that the name of the target does not say."""


class Unsupported(MeasuringError):
    """A runtime cannot run a graph, an option or a precision; becomes a failed measurement."""
