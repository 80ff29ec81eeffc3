"""Collects the nodes and constants of one ONNX model, and keeps track of the types of its values.

A value of the graph can be had in several forms: as its node writes it, cast to another floating-point format, or gone
through int8 and back (quantised and dequantised). Each form is written once, when it is first read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hyctas.graph import Graph, Node, Parameter, Value
from hyctas.number_format import BORDER_DTYPE, NumberFormat, converted
from hyctas.quantisation import quantised_weights, reads_int8, weight_steps
from hyctas.weights import Array

Attribute = int | float | str | list[int]

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


class OnnxWriter:
    """One model in the making.

    Args:
        graph: What is written, batch norms folded unless in float32.
        weights: A float32 array for each parameter, by name.
        numbers: What is stored in which numbers.
        steps: The int8 step of each value that is quantised, by name.
    """

    def __init__(
        self, graph: Graph, weights: Mapping[str, Array], *, numbers: NumberFormat, steps: Mapping[str, float]
    ) -> None:
        self.graph = graph
        self._numbers = numbers
        self._steps = steps
        self._producers = {node.output.name: node for node in graph.nodes}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[TensorProto] = []
        self._forms: set[str] = set()
        for node in graph.nodes:
            for parameter in node.parameters:
                self._add_parameter(node, parameter, weights[parameter.name])

    def inputs(self, node: Node) -> tuple[str, ...]:
        """Names of the values that `node` reads, in the numbers that it computes in."""
        if self._quantises(node):
            return tuple(self._through_int8(name) for name in node.inputs)
        return tuple(self._in_dtype(name, self._numbers.dtype_of(node)) for name in node.inputs)

    def parameters(self, node: Node) -> tuple[str, ...]:
        """Names of the parameters of `node`, in the numbers that it computes in."""
        names = [parameter.name for parameter in node.parameters]
        if names and self._quantises(node):
            step = f"{node.name}.weight_step"
            names[0] = self.intermediate("DequantizeLinear", node, "dequantised_weight", (names[0], step), {"axis": 0})
        return tuple(names)

    def emit(self, op: str, node: Node, inputs: Sequence[str], attributes: Mapping[str, Attribute] = _NONE) -> None:
        """Append the ONNX node that writes the output of `node`; it has the name of `node`."""
        value = node.output.name
        self._append(op, node.name, inputs, self._form(value, self._written_dtype(value)), attributes)

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

    def number(self, node: Node, suffix: str, array: Array) -> str:
        """Add a constant in the numbers that `node` computes in, and return its name."""
        name = f"{node.name}.{suffix}"
        self._initializers.append(_floating(name, array, self._numbers.dtype_of(node)))
        return name

    def model(self) -> onnx.ModelProto:
        """The finished model."""
        graph = self.graph
        for name in graph.outputs:
            self._in_dtype(name, graph.values[name].dtype)
        outputs = [_value_info(graph.values[name]) for name in graph.outputs]
        proto = helper.make_graph(
            self._nodes, graph.name, [_value_info(value) for value in graph.inputs], outputs, self._initializers
        )
        opset = helper.make_opsetid("", self._numbers.opset)
        return helper.make_model(proto, opset_imports=[opset], ir_version=IR_VERSION, producer_name="hyctas")

    def _quantises(self, node: Node) -> bool:
        return self._numbers.quantised and reads_int8(node)

    def _add_parameter(self, node: Node, parameter: Parameter, array: Array) -> None:
        name = parameter.name
        if parameter.role == "weight" and self._quantises(node):
            self._initializers.append(_tensor(name, quantised_weights(array)))
            self.constant(node, "weight_step", weight_steps(array))
        else:
            self._initializers.append(_floating(name, array, self._numbers.dtype_of(node)))

    def _written_dtype(self, value: str) -> str:
        """The dtype that `value` is written in: that of its node, unless integers or an input of the graph."""
        dtype = self.graph.values[value].dtype
        producer = self._producers.get(value)
        return self._numbers.dtype_of(producer) if producer is not None and dtype == BORDER_DTYPE else dtype

    def _form(self, value: str, dtype: str) -> str:
        """What `value` in `dtype` is called: by its own name at the border, or else as it is written."""
        own = self.graph.values[value].dtype if value in self.graph.outputs else self._written_dtype(value)
        return value if dtype == own else self._after(value, dtype)

    def _after(self, value: str, suffix: str) -> str:
        """A name for what is made of `value`, after the node or the input that it comes from."""
        producer = self._producers.get(value)
        return f"{value if producer is None else producer.name}.{suffix}"

    def _in_dtype(self, value: str, dtype: str) -> str:
        """The name of `value` in `dtype`, cast if need be; integers stay as they are."""
        written = self._written_dtype(value)
        if dtype == written or self.graph.values[value].dtype != BORDER_DTYPE:
            return self._form(value, written)
        cast = self._after(value, dtype)
        if cast not in self._forms:
            self._forms.add(cast)
            self._append("Cast", cast, (self._form(value, written),), self._form(value, dtype), _to(dtype))
        return self._form(value, dtype)

    def _through_int8(self, value: str) -> str:
        """The name of `value` as its nearest integers say."""
        dequantised, quantised = self._after(value, "dequantised"), self._after(value, "quantised")
        if dequantised not in self._forms:
            self._forms.add(dequantised)
            step, zero = self._after(value, "step"), self._after(value, "zero")
            self._initializers.append(_tensor(step, np.array(self._steps[value], np.float32)))
            self._initializers.append(_tensor(zero, np.array(0, np.int8)))
            self._append("QuantizeLinear", quantised, (value, step, zero), quantised)
            self._append("DequantizeLinear", dequantised, (quantised, step, zero), dequantised)
        return dequantised

    def _append(
        self, op: str, name: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Attribute] = _NONE
    ) -> None:
        proto = onnx.NodeProto(op_type=op, name=name, input=inputs, output=[output])
        proto.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(proto)


def _to(dtype: str) -> Mapping[str, Attribute]:
    return {"to": _ELEMENT_TYPES[dtype]}


def _floating(name: str, array: Array, dtype: str) -> TensorProto:
    """A float32 array as a tensor of `dtype`."""
    return _raw_tensor(name, converted(name, array, dtype), _ELEMENT_TYPES[dtype])


def _tensor(name: str, array: npt.NDArray[np.generic]) -> TensorProto:
    return _raw_tensor(name, array, helper.np_dtype_to_tensor_dtype(array.dtype))


def _raw_tensor(name: str, array: npt.NDArray[Any], element_type: int) -> TensorProto:
    return helper.make_tensor(name, element_type, array.shape, np.ascontiguousarray(array).tobytes(), raw=True)


def _value_info(value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, _ELEMENT_TYPES[value.dtype], value.shape)
