"""What the parser and the builder refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from tensorrt._members import MAJOR, DataType, ErrorCode

from standin_tensorrt.model import Model, Operator
from standin_tensorrt.strict import Enumeration

SUPPORTED = frozenset(
    [
        "Add",
        "ArgMax",
        "ArgMin",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "DequantizeLinear",
        "Div",
        "Elu",
        "Erf",
        "Exp",
        "Expand",
        "Flatten",
        "Gather",
        "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "HardSigmoid",
        "Identity",
        "InstanceNormalization",
        "LayerNormalization",
        "LeakyRelu",
        "Log",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
        "Neg",
        "Pad",
        "Pow",
        "PRelu",
        "QuantizeLinear",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Resize",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    ]
)
"""Operators that both versions import and that a network for vision may hold."""
_SAME_TYPES = frozenset(
    ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Concat", "Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu"]
)
_FLAG_OF = {"HALF": "FP16", "BF16": "BF16", "INT8": "INT8"}


@dataclass(frozen=True)
class Refusal:
    """Why an operator is not taken."""

    op: Operator
    code: Enumeration
    description: str


def refusals(model: Model, injected: frozenset[str] = frozenset()) -> Iterator[Refusal]:
    """What the parser does not import, in the order of the model."""
    for op in model.operators:
        if op.kind not in SUPPORTED or op.kind in injected:
            yield Refusal(op, ErrorCode.UNSUPPORTED_NODE, f"Plugin not found for operator {op.kind}")
            continue
        types = [model.types[name].element for name in (*op.inputs, *op.outputs)]
        if None in types:
            yield Refusal(op, ErrorCode.UNSUPPORTED_NODE_DATATYPE, "Data type of an input or output is not supported")
        elif op.kind in ("QuantizeLinear", "DequantizeLinear") and (reason := _quantisation(model, op)):
            yield Refusal(op, ErrorCode.UNSUPPORTED_NODE, reason)


def _quantisation(model: Model, op: Operator) -> str | None:
    """Only symmetric int8 with constant scales is taken."""
    scale = model.constant(op.inputs[1])
    if scale is None:
        return "The scale must be an initializer"
    if not bool((np.asarray(scale) > 0).all()):
        return "Scale coefficients must all be positive"
    if len(op.inputs) > 2:
        zero_point = model.constant(op.inputs[2])
        if zero_point is None or bool(np.asarray(zero_point).any()):
            return "Non-zero zero points are not supported: TensorRT only supports symmetric quantization"
        if model.types[op.inputs[2]].element != DataType.INT8:
            return "Only int8 zero points are supported"
    return None


def mixed_types(model: Model) -> Iterator[Refusal]:
    """Operators that read several types, which a strongly typed network does not allow."""
    for op in model.operators:
        if op.kind not in _SAME_TYPES:
            continue
        names = {element.name for name in op.inputs if (element := model.types[name].element) is not None}
        if len(names) > 1:
            text = f"{op.name}: operands must have the same type, but they are of types {' and '.join(sorted(names))}"
            yield Refusal(op, ErrorCode.INVALID_NODE, text)


def flag_errors(model: Model, flags: Mapping[str, bool], strongly_typed: bool) -> Iterator[str]:
    """Why the flags of a configuration do not fit the types of a network (version 10 only: 11 has no such flags)."""
    if MAJOR >= 11:
        return
    precision_flags = [name for name in _FLAG_OF.values() if flags[name]]
    if strongly_typed:
        for name in precision_flags:
            yield f"BuilderFlag.{name} is not allowed for a strongly typed network"
        return
    present = {element.name for value in model.types.values() if (element := value.element) is not None}
    for element, name in _FLAG_OF.items():
        if element in present and not flags[name]:
            kind = name.lower()
            yield (
                f"{kind} precision has been set for a layer or layer output, "
                f"but {kind} is not configured in the builder"
            )
