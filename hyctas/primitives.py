"""The primitives of the graph language: shape inference, parameters and multiply-accumulates of each.

Adding a primitive takes one entry in :data:`PRIMITIVES`, one writer in :mod:`hyctas.onnx_form` and one function in
:mod:`hyctas.torch_form`.

==================== ============================================================ ============================
primitive            attributes                                                   parameters
==================== ============================================================ ============================
conv                 channels, kernel, stride, padding, groups, bias              weight (and bias)
batch_norm           epsilon                                                      gamma, beta, mean, variance
relu, sigmoid
identity
resize               size: (height, width); bilinear, half-pixel; with
                     align_corners: 1 the corners keep their places
average_pool         factor: kernel and stride; ragged ends average what is there
global_average_pool
concat               (over channels)
add, multiply        (multiply broadcasts a 1x1 map)
scale                factor: a constant
gate                                                                              gate: one learned number
matmul               transpose_left, transpose_right: 0 or 1
transpose            permutation
reshape              shape
softmax              (over the last axis)
crop                 top, left: rows and columns removed
argmax               (over channels, which stay as one)
==================== ============================================================ ============================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hyctas.errors import GraphError, UnsupportedNode
from hyctas.graph import AttributeValue, Role, Value

Attributes = Mapping[str, AttributeValue]
Shape = tuple[int, ...]
ParameterSpec = tuple[str, Shape, Role]


@dataclass(frozen=True, slots=True)
class Primitive:
    """The rules of one primitive.

    Attributes:
        infer: Output shape and dtype from inputs and attributes; raises GraphError where they do not fit.
        parameters: Name, shape and role of each parameter.
        layout: Channel chunks of the output.
        macs: Multiply-accumulates from input values, attributes and output shape.
    """

    infer: Callable[[Sequence[Value], Attributes], tuple[Shape, str]]
    parameters: Callable[[Sequence[Value], Attributes], tuple[ParameterSpec, ...]]
    layout: Callable[[Sequence[Value], Shape], tuple[int, ...]]
    macs: Callable[[Sequence[Value], Attributes, Shape], int]


def primitive(op: str) -> Primitive:
    """The rules of primitive `op`.

    Raises:
        UnsupportedNode: There is no such primitive.
    """
    try:
        return PRIMITIVES[op]
    except KeyError:
        raise UnsupportedNode(f"unknown primitive {op!r}; known: {', '.join(PRIMITIVES)}") from None


def _map_shape(value: Value) -> tuple[int, int, int, int]:
    if len(value.shape) != 4:
        raise GraphError(f"{value.name} has shape {value.shape}; expected batch, channels, height, width")
    batch, channels, height, width = value.shape
    return batch, channels, height, width


def _integer(attributes: Attributes, name: str) -> int:
    value = attributes.get(name)
    if not isinstance(value, int) or value < 0:
        raise GraphError(f"attribute {name!r} is {value!r}; expected a non-negative integer")
    return value


def _integers(attributes: Attributes, name: str) -> tuple[int, ...]:
    value = attributes.get(name)
    if not isinstance(value, tuple):
        raise GraphError(f"attribute {name!r} is {value!r}; expected a tuple of integers")
    return value


def _same(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    return inputs[0].shape, inputs[0].dtype


def _conv_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, channels, height, width = _map_shape(inputs[0])
    kernel, stride, padding = (_integer(attributes, name) for name in ("kernel", "stride", "padding"))
    out_channels, groups = _integer(attributes, "channels"), _integer(attributes, "groups")
    if not groups or channels % groups or out_channels % groups or not out_channels:
        raise GraphError(f"{channels} to {out_channels} channels do not divide into {groups} groups")
    size = tuple((length + 2 * padding - kernel) // stride + 1 for length in (height, width))
    if min(size) < 1:
        raise GraphError(f"a {height}x{width} map is too small for kernel {kernel} with padding {padding}")
    return (batch, out_channels, *size), inputs[0].dtype


def _conv_parameters(inputs: Sequence[Value], attributes: Attributes) -> tuple[ParameterSpec, ...]:
    channels, kernel = _integer(attributes, "channels"), _integer(attributes, "kernel")
    shape = (channels, inputs[0].channels // _integer(attributes, "groups"), kernel, kernel)
    weight: ParameterSpec = ("weight", shape, "weight")
    return (weight, ("bias", (channels,), "bias")) if attributes["bias"] else (weight,)


def _conv_macs(inputs: Sequence[Value], attributes: Attributes, shape: Shape) -> int:
    fan_in = inputs[0].channels // _integer(attributes, "groups") * _integer(attributes, "kernel") ** 2
    return math.prod(shape) * fan_in


def _batch_norm_parameters(inputs: Sequence[Value], attributes: Attributes) -> tuple[ParameterSpec, ...]:
    size = (inputs[0].channels,)
    return (("gamma", size, "gamma"), ("beta", size, "beta"), ("mean", size, "mean"), ("variance", size, "variance"))


def _resize_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, channels, _, _ = _map_shape(inputs[0])
    height, width = _integers(attributes, "size")
    if attributes.get("align_corners", 1) != 1:
        raise GraphError(f"attribute 'align_corners' is {attributes['align_corners']!r}; expected 1, or no attribute")
    return (batch, channels, height, width), inputs[0].dtype


def _pool_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, channels, height, width = _map_shape(inputs[0])
    factor = _integer(attributes, "factor")
    return (batch, channels, -(-height // factor), -(-width // factor)), inputs[0].dtype


def _global_pool_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, channels, _, _ = _map_shape(inputs[0])
    return (batch, channels, 1, 1), inputs[0].dtype


def _concat_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    first = inputs[0].shape
    for value in inputs[1:]:
        if value.shape[:1] + value.shape[2:] != first[:1] + first[2:]:
            raise GraphError(f"cannot concatenate {[value.shape for value in inputs]} over channels")
    return (first[0], sum(value.channels for value in inputs), *first[2:]), inputs[0].dtype


def _elementwise_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    left, right = inputs[0].shape, inputs[1].shape
    if left != right and right != (*left[:2], 1, 1):
        raise GraphError(f"shapes {left} and {right} do not match")
    return left, inputs[0].dtype


def _matmul_operands(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, Shape]:
    """Shapes of both operands after the transposes that the attributes ask for."""
    shapes = []
    for value, name in zip(inputs, ("transpose_left", "transpose_right"), strict=True):
        *batch, rows, columns = value.shape
        shapes.append((*batch, columns, rows) if _integer(attributes, name) else value.shape)
    return shapes[0], shapes[1]


def _matmul_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    left, right = _matmul_operands(inputs, attributes)
    if left[:-2] != right[:-2] or left[-1] != right[-2]:
        raise GraphError(f"cannot multiply matrices {left} and {right}")
    return (*left[:-1], right[-1]), inputs[0].dtype


def _matmul_macs(inputs: Sequence[Value], attributes: Attributes, shape: Shape) -> int:
    return math.prod(shape) * _matmul_operands(inputs, attributes)[0][-1]


def _transpose_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    permutation = _integers(attributes, "permutation")
    if sorted(permutation) != list(range(len(inputs[0].shape))):
        raise GraphError(f"permutation {permutation} does not fit shape {inputs[0].shape}")
    return tuple(inputs[0].shape[axis] for axis in permutation), inputs[0].dtype


def _reshape_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    shape = _integers(attributes, "shape")
    if math.prod(shape) != inputs[0].elements:
        raise GraphError(f"cannot reshape {inputs[0].shape} to {shape}")
    return shape, inputs[0].dtype


def _crop_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, channels, height, width = _map_shape(inputs[0])
    shape = (batch, channels, height - _integer(attributes, "top"), width - _integer(attributes, "left"))
    if min(shape) < 1:
        raise GraphError(f"cropping {inputs[0].shape} leaves nothing")
    return shape, inputs[0].dtype


def _argmax_shape(inputs: Sequence[Value], attributes: Attributes) -> tuple[Shape, str]:
    batch, _, height, width = _map_shape(inputs[0])
    return (batch, 1, height, width), "int64"


def _no_parameters(inputs: Sequence[Value], attributes: Attributes) -> tuple[ParameterSpec, ...]:
    return ()


def _gate_parameters(inputs: Sequence[Value], attributes: Attributes) -> tuple[ParameterSpec, ...]:
    return (("gate", (1,), "gate"),)


def _no_macs(inputs: Sequence[Value], attributes: Attributes, shape: Shape) -> int:
    return 0


def _keep_layout(inputs: Sequence[Value], shape: Shape) -> tuple[int, ...]:
    return inputs[0].layout


def _fresh_layout(inputs: Sequence[Value], shape: Shape) -> tuple[int, ...]:
    return shape[1:2]


def _joined_layout(inputs: Sequence[Value], shape: Shape) -> tuple[int, ...]:
    return tuple(length for value in inputs for length in value.layout)


PRIMITIVES: Final[Mapping[str, Primitive]] = MappingProxyType(
    {
        "conv": Primitive(_conv_shape, _conv_parameters, _fresh_layout, _conv_macs),
        "batch_norm": Primitive(_same, _batch_norm_parameters, _keep_layout, _no_macs),
        "relu": Primitive(_same, _no_parameters, _keep_layout, _no_macs),
        "sigmoid": Primitive(_same, _no_parameters, _keep_layout, _no_macs),
        "identity": Primitive(_same, _no_parameters, _keep_layout, _no_macs),
        "resize": Primitive(_resize_shape, _no_parameters, _keep_layout, _no_macs),
        "average_pool": Primitive(_pool_shape, _no_parameters, _keep_layout, _no_macs),
        "global_average_pool": Primitive(_global_pool_shape, _no_parameters, _keep_layout, _no_macs),
        "concat": Primitive(_concat_shape, _no_parameters, _joined_layout, _no_macs),
        "add": Primitive(_elementwise_shape, _no_parameters, _keep_layout, _no_macs),
        "multiply": Primitive(_elementwise_shape, _no_parameters, _keep_layout, _no_macs),
        "scale": Primitive(_same, _no_parameters, _keep_layout, _no_macs),
        "gate": Primitive(_same, _gate_parameters, _keep_layout, _no_macs),
        "matmul": Primitive(_matmul_shape, _no_parameters, _fresh_layout, _matmul_macs),
        "transpose": Primitive(_transpose_shape, _no_parameters, _fresh_layout, _no_macs),
        "reshape": Primitive(_reshape_shape, _no_parameters, _fresh_layout, _no_macs),
        "softmax": Primitive(_same, _no_parameters, _keep_layout, _no_macs),
        "crop": Primitive(_crop_shape, _no_parameters, _keep_layout, _no_macs),
        "argmax": Primitive(_argmax_shape, _no_parameters, _fresh_layout, _no_macs),
    }
)
