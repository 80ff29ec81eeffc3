"""The ONNX model that a runtime is given: seeded weights, in the number format of a precision."""

from __future__ import annotations

from hyctas.graph import Graph
from hyctas.onnx_form import to_onnx_bytes
from hyctas.ranges import seeded_ranges
from hyctas.weights import seeded_weights


def seeded_onnx(graph: Graph, *, seed: int, precision: str = "fp32") -> bytes:
    """`graph` with seeded weights as ONNX; for int8 with ranges from a calibration pass over seeded inputs."""
    weights = seeded_weights(graph, seed)
    ranges = seeded_ranges(graph, weights, seed) if precision == "int8" else {}
    return to_onnx_bytes(graph, weights, precision=precision, ranges=ranges)
