"""An ONNX model as a builder looks at it: operators with types, shapes, and the work that they are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import onnx
from onnx import TensorProto, numpy_helper, shape_inference
from tensorrt._members import DataType

from standin_tensorrt.strict import Enumeration

TYPES: Mapping[int, Enumeration] = {
    TensorProto.FLOAT: DataType.FLOAT,
    TensorProto.FLOAT16: DataType.HALF,
    TensorProto.BFLOAT16: DataType.BF16,
    TensorProto.INT8: DataType.INT8,
    TensorProto.INT32: DataType.INT32,
    TensorProto.INT64: DataType.INT64,
    TensorProto.BOOL: DataType.BOOL,
    TensorProto.UINT8: DataType.UINT8,
}
SIZES = {"FLOAT": 4, "HALF": 2, "BF16": 2, "INT8": 1, "INT32": 4, "INT64": 8, "BOOL": 1, "UINT8": 1}


@dataclass(frozen=True)
class TensorType:
    """Element type (None: TensorRT has none) and shape of a value."""

    element: Enumeration | None
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes in memory, densely."""
        return self.elements * SIZES[self.element.name] if self.element is not None else 0


@dataclass(frozen=True)
class Operator:
    """A node of the model; `inputs` leaves absent ones out."""

    index: int
    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    group: int = 1


class Model:
    """A model with all types inferred.

    Raises:
        onnx.shape_inference.InferenceError: Types or shapes contradict one another.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.proto = shape_inference.infer_shapes(
            onnx.load_model_from_string(data), check_type=True, strict_mode=True, data_prop=True
        )
        graph = self.proto.graph
        self.name = graph.name
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.operators = tuple(
            Operator(
                index,
                node.name or f"node_of_{node.output[0]}",
                node.op_type,
                tuple(filter(None, node.input)),
                tuple(node.output),
                next((a.i for a in node.attribute if a.name == "group"), 1),
            )
            for index, node in enumerate(graph.node)
        )
        self.inputs = tuple(value.name for value in graph.input if value.name not in self.constants)
        self.outputs = tuple(value.name for value in graph.output)

    @cached_property
    def types(self) -> Mapping[str, TensorType]:
        """The type of every value."""
        graph = self.proto.graph
        found = {
            value.name: TensorType(
                TYPES.get(value.type.tensor_type.elem_type),
                tuple(d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim),
            )
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        found.update((t.name, TensorType(TYPES.get(t.data_type), tuple(t.dims))) for t in graph.initializer)
        return found

    @cached_property
    def producers(self) -> Mapping[str, Operator]:
        """Which operator writes a value."""
        return {output: op for op in self.operators for output in op.outputs}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Operator, ...]]:
        """Which operators read a value."""
        found: dict[str, list[Operator]] = defaultdict(list)
        for op in self.operators:
            for value in op.inputs:
                found[value].append(op)
        return {name: tuple(ops) for name, ops in found.items()}

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(self.types[name].size_bytes for name in self.constants)

    def element(self, op: Operator) -> Enumeration | None:
        """The type that `op` computes in: that of its first output that is no index."""
        return self.types[op.inputs[0]].element if op.inputs else self.types[op.outputs[0]].element

    def multiply_accumulates(self, op: Operator) -> int:
        """Those of convolutions and matrix products; everything else has none."""
        output = self.types[op.outputs[0]]
        if op.kind == "Conv":
            return output.elements * math.prod(self.types[op.inputs[1]].shape[1:])
        if op.kind in ("MatMul", "Gemm"):
            return output.elements * self.types[op.inputs[0]].shape[-1]
        return 0

    def reads(self, ops: tuple[Operator, ...]) -> tuple[str, ...]:
        """What a group of operators reads from outside, in order."""
        inside = {output for op in ops for output in op.outputs}
        return tuple(dict.fromkeys(name for op in ops for name in op.inputs if name not in inside))

    def writes(self, ops: tuple[Operator, ...]) -> tuple[str, ...]:
        """What a group of operators writes for others."""
        members = {op.index for op in ops}

        def leaves(name: str) -> bool:
            read_outside = any(op.index not in members for op in self.consumers.get(name, ()))
            return name in self.outputs or read_outside

        return tuple(name for op in ops for name in op.outputs if leaves(name))

    def constant(self, name: str) -> object:
        """The value of a constant, or None."""
        tensor = self.constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)
