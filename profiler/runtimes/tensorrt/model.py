"""The ONNX model that an engine is built from."""

from __future__ import annotations

from hyctas.graph import Graph
from hyctas.onnx_form import to_onnx_bytes
from hyctas.ranges import seeded_ranges
from hyctas.weights import seeded_weights


def seeded_model(graph: Graph, *, precision: str, seed: int) -> bytes:
    """`graph` with seeded weights in the number format of `precision`, as ONNX.

    For int8 the ranges of activations come from a calibration pass over seeded inputs.
    """
    weights = seeded_weights(graph, seed)
    ranges = seeded_ranges(graph, weights, seed) if precision == "int8" else {}
    return to_onnx_bytes(graph, weights, precision=precision, ranges=ranges)
