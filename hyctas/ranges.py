"""The calibration pass of int8: how large the values get that are quantised, in the float32 network.

On seeded inputs this serves latency: ranges then fit the seeded weights, and no runtime sees saturated or empty
integers. Ranges for accuracy come from images; see :mod:`search.deployment.int8`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from hyctas.errors import GraphError
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.onnx_form import to_onnx
from hyctas.quantisation import quantised_values
from hyctas.weights import Array, seeded_inputs

SEEDED_INPUTS: Final = 2
"""Random inputs that :func:`seeded_ranges` looks at; of so many positions that more change the maxima little."""
_EXTREMES: Final = ("ReduceMax", "ReduceMin")


def activation_ranges(
    graph: Graph, weights: Mapping[str, Array], inputs: Iterable[Mapping[str, Array]], *, threads: int = 1
) -> dict[str, float]:
    """The largest absolute value of each value that int8 quantises, by name.

    The network runs in float32, batch norms folded, under ONNX Runtime on the CPU, and reduces each value to its
    extremes on the way, so that no more memory is held than it takes to run it.

    Args:
        graph: The network, batch norms folded or not.
        weights: A float32 array for each parameter, by name.
        inputs: What to run it on: an array for each of its inputs, by name.
        threads: Threads of the session.

    Raises:
        GraphError: There are no inputs, they do not fit the graph, or a value is not finite.
    """
    names = quantised_values(fold(graph, weights)[0])
    ranges: dict[str, float] = {}
    session = _session(_with_extremes(to_onnx(graph, weights), names), threads) if names else None
    for given in inputs:
        _check_inputs(graph, given)
        extremes = (
            session.run([_extreme(op, name) for name in names for op in _EXTREMES], dict(given)) if session else ()
        )
        for name, high, low in zip(names, extremes[::2], extremes[1::2], strict=True):
            ranges[name] = max(ranges.get(name, 0.0), float(high), -float(low))
    _check_ranges(graph, names, ranges)
    return ranges


def seeded_ranges(graph: Graph, weights: Mapping[str, Array], seed: int, *, threads: int = 1) -> dict[str, float]:
    """:func:`activation_ranges` over a few seeded random inputs; equal seeds give equal ranges."""
    inputs = (seeded_inputs(graph, seed + index) for index in range(SEEDED_INPUTS))
    return activation_ranges(graph, weights, inputs, threads=threads)


def _with_extremes(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """`model` with the largest and the smallest number of each value in `names` as its only outputs."""
    del model.graph.output[:]
    for name in names:
        for op in _EXTREMES:
            output = _extreme(op, name)
            model.graph.node.append(helper.make_node(op, [name], [output], name=output, keepdims=0))
            model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ()))
    return model


def _extreme(op: str, name: str) -> str:
    return f"{name}.{op}"


def _session(model: onnx.ModelProto, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _check_inputs(graph: Graph, given: Mapping[str, Array]) -> None:
    expected = {value.name: value.shape for value in graph.inputs}
    found = {name: array.shape for name, array in given.items()}
    if found != expected:
        raise GraphError(f"{graph.name} is calibrated on arrays of shapes {found}; expected {expected}")


def _check_ranges(graph: Graph, names: tuple[str, ...], ranges: Mapping[str, float]) -> None:
    missing = [name for name in names if name not in ranges]
    if missing:
        raise GraphError(f"nothing to calibrate {graph.name} on; pass at least one input")
    endless = [name for name in names if not np.isfinite(ranges[name])]
    if endless:
        raise GraphError(f"value {endless[0]} of {graph.name} is not finite on a calibration input; check the weights")
