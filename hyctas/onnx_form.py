"""The ONNX model of a graph, written directly as protobuf (milliseconds, where a torch export takes seconds).

Opset and IR version are old enough for every runtime in use; all shapes are static, and every node and value
keeps the name that it has in the graph, so that a runtime's profile can be mapped back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hyctas.errors import UnsupportedNode
from hyctas.folding import fold
from hyctas.graph import Graph, Node, Value
from hyctas.weights import Array, check_weights

Attribute = int | float | str | list[int]

OPSET: Final = 17
IR_VERSION: Final = 10
_ELEMENT_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "float32": TensorProto.FLOAT,
        "float16": TensorProto.FLOAT16,
        "bfloat16": TensorProto.BFLOAT16,
        "int8": TensorProto.INT8,
        "int32": TensorProto.INT32,
        "int64": TensorProto.INT64,
    }
)
_NONE: Final[Mapping[str, Attribute]] = MappingProxyType({})


def to_onnx(graph: Graph, weights: Mapping[str, Array], *, fold_batch_norm: bool = True) -> onnx.ModelProto:
    """The ONNX model of `graph`.

    Args:
        graph: What to write.
        weights: A float32 array for each parameter, by name.
        fold_batch_norm: Fold batch norms and scales into the convolutions before them.

    Raises:
        UnsupportedNode: A primitive has no ONNX form.
        GraphError: A parameter has no array, or one of another shape.
    """
    check_weights(graph, weights)
    if fold_batch_norm:
        graph, weights = fold(graph, weights)
    writer = _Writer(graph, weights)
    for node in graph.nodes:
        writer.write(node)
    return writer.model()


def to_onnx_bytes(graph: Graph, weights: Mapping[str, Array], *, fold_batch_norm: bool = True) -> bytes:
    """The serialised ONNX model of `graph`; see :func:`to_onnx`."""
    data: bytes = to_onnx(graph, weights, fold_batch_norm=fold_batch_norm).SerializeToString()
    return data


class _Writer:
    """Collects the nodes and initialisers of one model."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array]) -> None:
        self.graph = graph
        self._nodes: list[onnx.NodeProto] = []
        self._initializers = [
            _tensor(parameter.name, weights[parameter.name]) for node in graph.nodes for parameter in node.parameters
        ]

    def write(self, node: Node) -> None:
        """Append what `node` becomes."""
        try:
            writer = _WRITERS[node.op]
        except KeyError:
            known = ", ".join(_WRITERS)
            raise UnsupportedNode(f"node {node.name}: primitive {node.op!r} has no ONNX form; known: {known}") from None
        writer(self, node)

    def emit(self, op: str, node: Node, inputs: Sequence[str], attributes: Mapping[str, Attribute] = _NONE) -> None:
        """Append the ONNX node that writes the output of `node`; it has the name of `node`."""
        self._append(op, node.name, inputs, node.output.name, attributes)

    def intermediate(
        self, op: str, node: Node, suffix: str, inputs: Sequence[str], attributes: Mapping[str, Attribute]
    ) -> str:
        """Append an ONNX node that prepares an input of `node`, and return the name of what it writes."""
        name = f"{node.name}.{suffix}"
        self._append(op, name, inputs, name, attributes)
        return name

    def constant(self, node: Node, suffix: str, array: npt.NDArray[np.generic]) -> str:
        """Add a constant that belongs to `node`, and return its name."""
        name = f"{node.name}.{suffix}"
        self._initializers.append(_tensor(name, array))
        return name

    def _append(
        self, op: str, name: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Attribute]
    ) -> None:
        proto = onnx.NodeProto(op_type=op, name=name, input=inputs, output=[output])
        proto.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(proto)

    def model(self) -> onnx.ModelProto:
        """The finished model."""
        graph = self.graph
        outputs = [_value_info(graph.values[name]) for name in graph.outputs]
        proto = helper.make_graph(
            self._nodes, graph.name, [_value_info(value) for value in graph.inputs], outputs, self._initializers
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(proto, opset_imports=[opset], ir_version=IR_VERSION, producer_name="hyctas")


def _tensor(name: str, array: npt.NDArray[np.generic]) -> TensorProto:
    element_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, element_type, array.shape, np.ascontiguousarray(array).tobytes(), raw=True)


def _value_info(value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, _ELEMENT_TYPES[value.dtype], value.shape)


def _with_parameters(node: Node) -> tuple[str, ...]:
    return (*node.inputs, *(parameter.name for parameter in node.parameters))


def _conv(w: _Writer, node: Node) -> None:
    kernel, stride, padding = (node.integer(name) for name in ("kernel", "stride", "padding"))
    attributes: dict[str, Attribute] = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "group": node.integer("groups"),
    }
    w.emit("Conv", node, _with_parameters(node), attributes)


def _batch_norm(w: _Writer, node: Node) -> None:
    w.emit("BatchNormalization", node, _with_parameters(node), {"epsilon": node.number("epsilon")})


def _resize(w: _Writer, node: Node) -> None:
    source = w.graph.values[node.inputs[0]]
    sizes = w.constant(node, "sizes", np.array((*source.shape[:2], *node.integers("size")), np.int64))
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    w.emit("Resize", node, (node.inputs[0], "", "", sizes), attributes)


def _average_pool(w: _Writer, node: Node) -> None:
    """Ragged ends are padded at the end and left out of the average; not every runtime knows ``ceil_mode``."""
    factor = node.integer("factor")
    height, width = w.graph.values[node.inputs[0]].shape[2:]
    attributes: dict[str, Attribute] = {
        "kernel_shape": [factor] * 2,
        "strides": [factor] * 2,
        "pads": [0, 0, -height % factor, -width % factor],
        "count_include_pad": 0,
    }
    w.emit("AveragePool", node, node.inputs, attributes)


def _concat(w: _Writer, node: Node) -> None:
    w.emit("Concat", node, node.inputs, {"axis": 1})


def _scale(w: _Writer, node: Node) -> None:
    factor = w.constant(node, "factor", np.array(node.number("factor"), np.float32))
    w.emit("Mul", node, (*node.inputs, factor))


def _gate(w: _Writer, node: Node) -> None:
    w.emit("Mul", node, _with_parameters(node))


def _matmul(w: _Writer, node: Node) -> None:
    operands = []
    for name, side in zip(node.inputs, ("left", "right"), strict=True):
        if node.integer(f"transpose_{side}"):
            *batch, rows, columns = range(len(w.graph.values[name].shape))
            name = w.intermediate("Transpose", node, side, (name,), {"perm": [*batch, columns, rows]})
        operands.append(name)
    w.emit("MatMul", node, operands)


def _transpose(w: _Writer, node: Node) -> None:
    w.emit("Transpose", node, node.inputs, {"perm": list(node.integers("permutation"))})


def _reshape(w: _Writer, node: Node) -> None:
    shape = w.constant(node, "shape", np.array(node.integers("shape"), np.int64))
    w.emit("Reshape", node, (*node.inputs, shape))


def _softmax(w: _Writer, node: Node) -> None:
    w.emit("Softmax", node, node.inputs, {"axis": -1})


def _crop(w: _Writer, node: Node) -> None:
    source = w.graph.values[node.inputs[0]]
    starts = w.constant(node, "starts", np.array((node.integer("top"), node.integer("left")), np.int64))
    ends = w.constant(node, "ends", np.array(source.shape[2:], np.int64))
    axes = w.constant(node, "axes", np.array((2, 3), np.int64))
    w.emit("Slice", node, (*node.inputs, starts, ends, axes))


def _argmax(w: _Writer, node: Node) -> None:
    w.emit("ArgMax", node, node.inputs, {"axis": 1, "keepdims": 1})


def _plain(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.emit(op, node, node.inputs)

    return write


_WRITERS: Final[Mapping[str, Callable[[_Writer, Node], None]]] = MappingProxyType(
    {
        "conv": _conv,
        "batch_norm": _batch_norm,
        "relu": _plain("Relu"),
        "sigmoid": _plain("Sigmoid"),
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
