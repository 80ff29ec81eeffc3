"""Finding the nodes of a graph by the names that an ONNX runtime gives to its layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from hyctas.folding import FOLDABLE
from hyctas.graph import Graph

_PUNCTUATION: Final = re.compile(r"[^0-9A-Za-z]")


class NodeIndex:
    """The nodes of a graph by the names of themselves, their outputs, their parameters and their helpers.

    A helper is an ONNX node that the writer puts before or after a node; it is named ``<node>.<suffix>``. A batch norm
    or scale that was folded into a convolution belongs to it: whoever computes the convolution computes it too.

    Args:
        graph: Before folding.
        written: Names of the nodes that were written, after folding.
    """

    def __init__(self, graph: Graph, written: Iterable[str]) -> None:
        self._positions = {node.name: position for position, node in enumerate(graph.nodes)}
        self._names = tuple(self._positions)
        self._inputs = {value.name for value in graph.inputs}
        self._flattened = {_flat(name): name for name in reversed(self._names)}
        self._folded_into = _folded(graph, frozenset(written))

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes, in the order of the graph."""
        return self._names

    def find(self, name: str) -> str | None:
        """The node that `name` belongs to; None if it belongs to none."""
        candidate = name
        while candidate:
            if candidate in self._positions:
                return candidate
            candidate = candidate.rpartition(".")[0]
        return self._flattened.get(_flat(name))

    def is_input(self, name: str) -> bool:
        """Whether `name` is an input of the graph."""
        return name in self._inputs

    def between(self, first: Iterable[str], last: Iterable[str]) -> tuple[str, ...]:
        """The nodes from the first of `first` to the last of `last`, in the order of the graph.

        Where none of one end is a node (a constant, a helper of the parser), the nodes of the other end only.
        """
        starts, stops = ([self._positions[node] for node in self._found(names)] for names in (first, last))
        if not starts or not stops:
            return tuple(self._names[position] for position in sorted({*starts, *stops}))
        return self._names[min(starts) : max(stops) + 1]

    def in_order(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """The nodes, each once, in the order of the graph, with what was folded into them."""
        found = set(nodes)
        found.update(folded for folded, into in self._folded_into.items() if into in found)
        return tuple(sorted(found, key=self._positions.__getitem__))

    def _found(self, names: Iterable[str]) -> list[str]:
        return [node for node in map(self.find, names) if node is not None]


def _flat(name: str) -> str:
    """A name without punctuation, which the graph compiler replaces."""
    return _PUNCTUATION.sub("_", name).strip("_")


def _folded(graph: Graph, written: frozenset[str]) -> Mapping[str, str]:
    """For each node that was folded away, the node that computes it now."""
    into: dict[str, str] = {}
    producers = {node.output.name: node.name for node in graph.nodes}
    for node in graph.nodes:
        if node.name not in written and node.op in FOLDABLE and node.inputs[0] in producers:
            source = producers[node.inputs[0]]
            into[node.name] = into.get(source, source)
    return into
