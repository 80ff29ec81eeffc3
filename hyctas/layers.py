"""Small groups of primitives that the operators are written in."""

from __future__ import annotations

from typing import Final

from hyctas.builder import GraphBuilder
from hyctas.graph import AttributeValue, Value

BATCH_NORM_EPSILON: Final = 1e-5


def conv(
    b: GraphBuilder, x: Value, channels: int, *, kernel: int = 1, stride: int = 1, bias: bool = False, name: str
) -> Value:
    """A convolution, padded so that stride 1 keeps the size."""
    attributes = {
        "channels": channels,
        "kernel": kernel,
        "stride": stride,
        "padding": kernel // 2,
        "groups": 1,
        "bias": int(bias),
    }
    return b.append("conv", [x], attributes, name=name)


def batch_norm(b: GraphBuilder, x: Value, *, name: str) -> Value:
    """A batch norm over channels."""
    return b.append("batch_norm", [x], {"epsilon": BATCH_NORM_EPSILON}, name=name)


def relu(b: GraphBuilder, x: Value) -> Value:
    """A rectified linear unit."""
    return b.append("relu", [x])


def add(b: GraphBuilder, left: Value, right: Value) -> Value:
    """A sum of two equal shapes."""
    return b.append("add", [left, right])


def conv_bn(b: GraphBuilder, x: Value, channels: int, *, kernel: int = 1, stride: int = 1, name: str) -> Value:
    """A convolution without bias, and a batch norm."""
    return batch_norm(b, conv(b, x, channels, kernel=kernel, stride=stride, name=name), name=f"{name}_bn")


def conv_bn_relu(b: GraphBuilder, x: Value, channels: int, *, kernel: int = 1, stride: int = 1, name: str) -> Value:
    """A convolution without bias, a batch norm and a ReLU."""
    return relu(b, conv_bn(b, x, channels, kernel=kernel, stride=stride, name=name))


def resize(b: GraphBuilder, x: Value, size: tuple[int, ...], *, align_corners: bool = False) -> Value:
    """Bilinear interpolation to a (height, width): half-pixel centres, or with the corners kept in their places."""
    aligned: dict[str, AttributeValue] = {"align_corners": 1} if align_corners else {}
    return b.append("resize", [x], {"size": size, **aligned})


def halve(b: GraphBuilder, x: Value, *, align_corners: bool = False) -> Value:
    """Bilinear interpolation to half the size, rounded down, but never to nothing."""
    height, width = x.shape[2:]
    return resize(b, x, (max(1, height // 2), max(1, width // 2)), align_corners=align_corners)


def average_pool(b: GraphBuilder, x: Value, factor: int) -> Value:
    """Non-overlapping average pooling; a ragged last row or column averages what is there."""
    return b.append("average_pool", [x], {"factor": factor})


def concat(b: GraphBuilder, *values: Value) -> Value:
    """A concatenation over channels; a single value is returned as it is."""
    return values[0] if len(values) == 1 else b.append("concat", values)
