"""Graphs as JSON: how a graph travels to a measuring process. The round trip is exact."""

from __future__ import annotations

import msgspec

from hyctas.errors import GraphError
from hyctas.graph import Graph
from hyctas.primitives import primitive

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Graph)


def encode_graph(graph: Graph) -> bytes:
    """The graph as one line of JSON."""
    return _ENCODER.encode(graph)


def decode_graph(data: bytes) -> Graph:
    """The graph that :func:`encode_graph` wrote.

    Raises:
        GraphError: The data is no such JSON, or its nodes do not make a graph.
    """
    try:
        graph = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise GraphError(f"not a graph in JSON: {error}") from error
    _check(graph)
    return graph


def _check(graph: Graph) -> None:
    """See that every value is written once, before it is read, by a primitive that exists."""
    written = {value.name for value in graph.inputs}
    for node in graph.nodes:
        primitive(node.op)
        _check_written(node.inputs, written, f"node {node.name} reads")
        if node.output.name in written:
            raise GraphError(f"node {node.name} writes {node.output.name}, which exists already")
        written.add(node.output.name)
    _check_written(graph.outputs, written, "the graph outputs")


def _check_written(names: tuple[str, ...], written: set[str], what: str) -> None:
    for name in names:
        if name not in written:
            raise GraphError(f"{what} {name}, which nothing before it writes")
