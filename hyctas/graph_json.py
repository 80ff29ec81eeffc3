"""Graphs as JSON: how a graph travels to a measuring process. The round trip is exact."""

from __future__ import annotations

import msgspec

from hyctas.errors import GraphError
from hyctas.graph import Graph

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Graph)


def encode_graph(graph: Graph) -> bytes:
    """The graph as one line of JSON."""
    return _ENCODER.encode(graph)


def decode_graph(data: bytes) -> Graph:
    """The graph that :func:`encode_graph` wrote.

    Raises:
        GraphError: The data is no such JSON.
    """
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise GraphError(f"not a graph in JSON: {error}") from error
