"""The workload key: equal work gets an equal key, wherever it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hyctas.graph import Graph, Node, Value

KEY_VERSION: Final = 1


@dataclass(frozen=True)
class Workload:
    """A graph as something to measure; batch and size are its input shapes."""

    graph: Graph

    @cached_property
    def key(self) -> str:
        """The workload key of the graph."""
        return workload_key(self.graph)


def workload_key(graph: Graph) -> str:
    """SHA-256 (hexadecimal) of the canonical graph: topology, attributes, shapes, dtypes; no names, no weights.

    Every value is digested from the operation that writes it and the digests of what that reads, so the key does
    not depend on the order of independent nodes. The multiset of node digests keeps twins apart from one node
    that is read twice.
    """
    digests = {value.name: _digest("input", str(index), _type(value)) for index, value in enumerate(graph.inputs)}
    for node in graph.nodes:
        digests[node.output.name] = _node_digest(node, [digests[name] for name in node.inputs])
    nodes = sorted(digests[node.output.name] for node in graph.nodes)
    outputs = [digests[name] for name in graph.outputs]
    return _digest(f"workload-{KEY_VERSION}", *nodes, "->", *outputs)


def _node_digest(node: Node, inputs: list[str]) -> str:
    attributes = [f"{name}={value!r}" for name, value in node.attributes]
    parameters = [f"{parameter.role}{parameter.shape}" for parameter in node.parameters]
    return _digest(node.op, *attributes, *parameters, _type(node.output), *inputs)


def _type(value: Value) -> str:
    return f"{value.dtype}{value.shape}"


def _digest(*fields: str) -> str:
    return hashlib.sha256("\x1f".join(fields).encode()).hexdigest()
