"""The operators of FasterSeg (arXiv 1912.10917), each written once as a function that appends nodes.

Source: its public release. They differ from those of HyCTAS (:mod:`hyctas.operators`) in that corners keep their
places under interpolation, stem and arms end in a ReLU, operators at half the resolution have no shortcut, and a skip
that keeps its scale is an identity. The skip that goes down is the one 1x1 convolution that was measured (TensorRT
refused the slice of the trained form). ``conv`` and ``conv_2x`` are the same in both spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hyctas.builder import GraphBuilder
from hyctas.cell import Operator
from hyctas.channels import middle_channels
from hyctas.graph import Value
from hyctas.layers import concat, conv, conv_bn, conv_bn_relu, halve, relu, resize

FASTERSEG_SUMMARIES: Final[Mapping[Operator, str]] = {
    "skip": "An identity that hands on the channels it gets; at stride 2 a 1x1 convolution, batch norm, ReLU.",
    "conv": "One 3x3 convolution, batch norm, ReLU.",
    "conv_downup": "A 3x3 convolution at half the resolution, brought back up at stride 1; no shortcut.",
    "conv_2x": "Two 3x3 convolutions, each with batch norm and ReLU; the first has the stride.",
    "conv_2x_downup": "Two 3x3 convolutions at half the resolution, brought back up at stride 1; no shortcut.",
}
"""Each candidate operator in a line."""


def identity(b: GraphBuilder, x: Value) -> Value:
    """A skip that keeps its scale: alone a copy, inside a network nothing."""
    return b.append("identity", [x])


def reduce(b: GraphBuilder, x: Value, channels: int) -> Value:
    """A skip that goes down: 1x1 with stride 2, batch norm, ReLU."""
    return conv_bn_relu(b, x, channels, stride=2, name="conv")


def downup(b: GraphBuilder, x: Value, channels: int, stride: int) -> Value:
    """A 3x3 convolution at half the resolution, brought back up at stride 1, ReLU last."""
    inner = conv_bn(b, halve(b, x, align_corners=True), channels, kernel=3, name="conv")
    return relu(b, _back_up(b, inner, x, stride))


def downup_2x(b: GraphBuilder, x: Value, channels: int, stride: int) -> Value:
    """Two 3x3 convolutions at half the resolution; otherwise as :func:`downup`."""
    inner = conv_bn_relu(b, halve(b, x, align_corners=True), channels, kernel=3, name="conv1")
    inner = conv_bn(b, inner, channels, kernel=3, name="conv2")
    return relu(b, _back_up(b, inner, x, stride))


def conv_norm(b: GraphBuilder, x: Value, channels: int, *, kernel: int, stride: int) -> Value:
    """Convolution, batch norm, ReLU: stem, arms and refinements."""
    return conv_bn_relu(b, x, channels, kernel=kernel, stride=stride, name="conv")


def join(b: GraphBuilder, low: Value, high: Value) -> Value:
    """The coarser map brought up to the finer one, and concatenated with it."""
    return concat(b, resize(b, low, high.shape[2:], align_corners=True), high)


def feature_fusion(b: GraphBuilder, x: Value, channels: int) -> Value:
    """1x1, batch norm, ReLU; the release has squeeze-excitation behind it, but never runs it."""
    return conv_bn_relu(b, x, channels, name="conv")


def plain_head(b: GraphBuilder, x: Value, classes: int) -> Value:
    """3x3, batch norm, ReLU, and a 1x1 convolution with bias to the classes."""
    inner = conv_bn_relu(b, x, middle_channels(x.channels), kernel=3, name="conv")
    return conv(b, inner, classes, bias=True, name="classifier")


def _back_up(b: GraphBuilder, inner: Value, x: Value, stride: int) -> Value:
    return resize(b, inner, x.shape[2:], align_corners=True) if stride == 1 else inner
