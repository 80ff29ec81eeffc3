"""The ONNX model of a graph, written directly as protobuf (milliseconds, where a torch export takes seconds).

Opset and IR version are old enough for every runtime in use; all shapes are static, and every node and value keeps
the name that it has in the graph, so that a runtime's profile can be mapped back. What a precision adds is named
``<node>.<suffix>`` (the suffix has no dot), after the node that it prepares something for or whose output it
converts; where that is an input of the graph, ``<input>.<suffix>``.

All types are written here, as strongly typed TensorRT wants it: a node never reads numbers of two formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import onnx

from hyctas.errors import InvalidInput, UnsupportedNode
from hyctas.folding import fold, without_statistics
from hyctas.graph import Graph, Node
from hyctas.number_format import BORDER_DTYPE, number_format
from hyctas.onnx_writer import Attribute, OnnxWriter
from hyctas.quantisation import activation_steps
from hyctas.weights import Array, check_weights

_NO_RANGES: Final[Mapping[str, float]] = MappingProxyType({})


def to_onnx(
    graph: Graph,
    weights: Mapping[str, Array],
    *,
    fold_batch_norm: bool = True,
    precision: str = "fp32",
    ranges: Mapping[str, float] = _NO_RANGES,
) -> onnx.ModelProto:
    """The ONNX model of `graph`; its inputs and outputs are float32 at every precision.

    Args:
        graph: What to write.
        weights: A float32 array for each parameter, by name.
        fold_batch_norm: Fold batch norms and scales into the convolutions before them; always so but for fp32.
        precision: One of :data:`hyctas.target.PRECISIONS`; fp32 and tf32 give the same model.
        ranges: For int8, the largest absolute value of each value that is quantised, by name; see
            :func:`hyctas.ranges.activation_ranges`.

    Raises:
        UnsupportedNode: A primitive has no ONNX form.
        GraphError: A parameter has no array, one of another shape, or numbers too large for fp16; or a range is
            missing.
        InvalidInput: There is no such precision, or it needs batch norms folded.
    """
    check_weights(graph, weights)
    numbers = number_format(precision)
    narrow = numbers.dtype != BORDER_DTYPE
    if fold_batch_norm:
        graph, weights = fold(graph, weights)
    elif narrow or numbers.quantised:
        raise InvalidInput("fold_batch_norm", fold_batch_norm, f"True for {precision}; only fp32 is written unfolded")
    if narrow:
        graph, weights = without_statistics(graph, weights)
    steps = activation_steps(graph, ranges) if numbers.quantised else {}
    writer = OnnxWriter(graph, weights, numbers=numbers, steps=steps)
    for node in graph.nodes:
        _write(writer, node)
    return writer.model()


def to_onnx_bytes(
    graph: Graph,
    weights: Mapping[str, Array],
    *,
    fold_batch_norm: bool = True,
    precision: str = "fp32",
    ranges: Mapping[str, float] = _NO_RANGES,
) -> bytes:
    """The serialised ONNX model of `graph`; see :func:`to_onnx`."""
    model = to_onnx(graph, weights, fold_batch_norm=fold_batch_norm, precision=precision, ranges=ranges)
    data: bytes = model.SerializeToString()
    return data


def _write(w: OnnxWriter, node: Node) -> None:
    """Append what `node` becomes."""
    try:
        write = _WRITERS[node.op]
    except KeyError:
        known = ", ".join(_WRITERS)
        raise UnsupportedNode(f"node {node.name}: primitive {node.op!r} has no ONNX form; known: {known}") from None
    write(w, node)


def _conv(w: OnnxWriter, node: Node) -> None:
    kernel, stride, padding = (node.integer(name) for name in ("kernel", "stride", "padding"))
    attributes: dict[str, Attribute] = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "group": node.integer("groups"),
    }
    w.emit("Conv", node, (*w.inputs(node), *w.parameters(node)), attributes)


def _batch_norm(w: OnnxWriter, node: Node) -> None:
    w.emit("BatchNormalization", node, (*w.inputs(node), *w.parameters(node)), {"epsilon": node.number("epsilon")})


def _resize(w: OnnxWriter, node: Node) -> None:
    source = w.graph.values[node.inputs[0]]
    sizes = w.constant(node, "sizes", np.array((*source.shape[:2], *node.integers("size")), np.int64))
    places = "align_corners" if node.has("align_corners") else "half_pixel"
    attributes = {"mode": "linear", "coordinate_transformation_mode": places}
    w.emit("Resize", node, (*w.inputs(node), "", "", sizes), attributes)


def _average_pool(w: OnnxWriter, node: Node) -> None:
    """Ragged ends are padded at the end and left out of the average; not every runtime knows ``ceil_mode``."""
    factor = node.integer("factor")
    height, width = w.graph.values[node.inputs[0]].shape[2:]
    attributes: dict[str, Attribute] = {
        "kernel_shape": [factor] * 2,
        "strides": [factor] * 2,
        "pads": [0, 0, -height % factor, -width % factor],
        "count_include_pad": 0,
    }
    w.emit("AveragePool", node, w.inputs(node), attributes)


def _concat(w: OnnxWriter, node: Node) -> None:
    w.emit("Concat", node, w.inputs(node), {"axis": 1})


def _scale(w: OnnxWriter, node: Node) -> None:
    factor = w.number(node, "factor", np.array(node.number("factor"), np.float32))
    w.emit("Mul", node, (*w.inputs(node), factor))


def _gate(w: OnnxWriter, node: Node) -> None:
    w.emit("Mul", node, (*w.inputs(node), *w.parameters(node)))


def _matmul(w: OnnxWriter, node: Node) -> None:
    operands = []
    for value, read, side in zip(node.inputs, w.inputs(node), ("left", "right"), strict=True):
        if node.integer(f"transpose_{side}"):
            *batch, rows, columns = range(len(w.graph.values[value].shape))
            read = w.intermediate("Transpose", node, side, (read,), {"perm": [*batch, columns, rows]})
        operands.append(read)
    w.emit("MatMul", node, operands)


def _transpose(w: OnnxWriter, node: Node) -> None:
    w.emit("Transpose", node, w.inputs(node), {"perm": list(node.integers("permutation"))})


def _reshape(w: OnnxWriter, node: Node) -> None:
    shape = w.constant(node, "shape", np.array(node.integers("shape"), np.int64))
    w.emit("Reshape", node, (*w.inputs(node), shape))


def _softmax(w: OnnxWriter, node: Node) -> None:
    w.emit("Softmax", node, w.inputs(node), {"axis": -1})


def _crop(w: OnnxWriter, node: Node) -> None:
    source = w.graph.values[node.inputs[0]]
    starts = w.constant(node, "starts", np.array((node.integer("top"), node.integer("left")), np.int64))
    ends = w.constant(node, "ends", np.array(source.shape[2:], np.int64))
    axes = w.constant(node, "axes", np.array((2, 3), np.int64))
    w.emit("Slice", node, (*w.inputs(node), starts, ends, axes))


def _argmax(w: OnnxWriter, node: Node) -> None:
    w.emit("ArgMax", node, w.inputs(node), {"axis": 1, "keepdims": 1})


def _plain(op: str) -> Callable[[OnnxWriter, Node], None]:
    def write(w: OnnxWriter, node: Node) -> None:
        w.emit(op, node, w.inputs(node))

    return write


_WRITERS: Final[Mapping[str, Callable[[OnnxWriter, Node], None]]] = MappingProxyType(
    {
        "conv": _conv,
        "batch_norm": _batch_norm,
        "relu": _plain("Relu"),
        "sigmoid": _plain("Sigmoid"),
        "identity": _plain("Identity"),
        "resize": _resize,
        "average_pool": _average_pool,
        "global_average_pool": _plain("GlobalAveragePool"),
        "concat": _concat,
        "add": _plain("Add"),
        "multiply": _plain("Mul"),
        "scale": _scale,
        "gate": _gate,
        "matmul": _matmul,
        "transpose": _transpose,
        "reshape": _reshape,
        "softmax": _softmax,
        "crop": _crop,
        "argmax": _argmax,
    }
)
