"""Every operator of the space, each written once as a function that appends nodes.

Candidate operators of a cell (:data:`CELL_OPERATORS`) share a signature; stem, fusion and head are built from them
and from the functions below. Source: the public release of HyCTAS (arXiv 2403.10413).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hyctas.attention import attend
from hyctas.builder import GraphBuilder
from hyctas.cell import Operator
from hyctas.fasterseg_operators import FASTERSEG_SUMMARIES
from hyctas.graph import Value
from hyctas.layers import (
    add,
    average_pool,
    batch_norm,
    concat,
    conv,
    conv_bn,
    conv_bn_relu,
    halve,
    relu,
    resize,
)
from hyctas.space_rules import rules_of

CellOperator = Callable[[GraphBuilder, Value, int, int, str], Value]
"""Builder, input, output channels, stride (1 or 2), attention form."""


def skip(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """A projection (FactorizedReduce, never an identity).

    At stride 2, two 1x1 stride-2 convolutions of which the second sees the map shifted by a pixel; of odd
    channels the first gets the smaller half.
    """
    if stride == 1:
        return conv_bn_relu(b, x, channels, name="conv")
    first = conv_bn_relu(b, x, channels // 2, stride=2, name="even")
    shifted = b.append("crop", [x], {"top": 1, "left": 1})
    second = conv_bn_relu(b, shifted, channels - channels // 2, stride=2, name="odd")
    return concat(b, first, second)


def conv_3x3(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """One 3x3 convolution, batch norm, ReLU."""
    return conv_bn_relu(b, x, channels, kernel=3, stride=stride, name="conv")


def conv_2x(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """Two 3x3 convolutions, each with batch norm and ReLU; the first has the stride."""
    inner = conv_bn_relu(b, x, channels, kernel=3, stride=stride, name="conv1")
    return conv_bn_relu(b, inner, channels, kernel=3, name="conv2")


def conv_downup(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """A 3x3 convolution at half the resolution; at stride 1 brought back up and added to a 1x1 shortcut."""
    inner = conv_bn(b, halve(b, x), channels, kernel=3, name="conv")
    return _up_beside_shortcut(b, x, inner) if stride == 1 else relu(b, inner)


def conv_2x_downup(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """Two 3x3 convolutions at half the resolution; otherwise as :func:`conv_downup`."""
    inner = conv_bn_relu(b, halve(b, x), channels, kernel=3, name="conv1")
    inner = conv_bn(b, inner, channels, kernel=3, name="conv2")
    return _up_beside_shortcut(b, x, inner) if stride == 1 else relu(b, inner)


def self_attention(b: GraphBuilder, x: Value, channels: int, stride: int, attention: str) -> Value:
    """1x1, attention, 1x1, and a shortcut; at stride 2 a 2x2 average pool after the attention."""
    inner = conv_bn_relu(b, x, channels, name="before")
    with b.scope("attention"):
        inner = attend(b, inner, form=attention)
    if stride == 2:
        inner = average_pool(b, inner, 2)
    inner = conv_bn(b, relu(b, batch_norm(b, inner, name="norm")), channels, name="after")
    return relu(b, add(b, inner, _attention_shortcut(b, x, channels, stride)))


CELL_OPERATORS: Final[Mapping[str, CellOperator]] = MappingProxyType(
    {
        "skip": skip,
        "conv": conv_3x3,
        "conv_downup": conv_downup,
        "conv_2x": conv_2x,
        "conv_2x_downup": conv_2x_downup,
        "sa": self_attention,
    }
)


def summaries(space: str) -> Mapping[Operator, str]:
    """What each candidate operator of a space is, in a line.

    Raises:
        InvalidArchitecture: There is no such space.
    """
    rules = rules_of(space)
    if rules.name == "fasterseg":
        return FASTERSEG_SUMMARIES
    return {operator: _summary(CELL_OPERATORS[operator]) for operator in rules.operators}


def _summary(operator: CellOperator) -> str:
    """The first line of an operator's docstring."""
    return (inspect.getdoc(operator) or "").partition("\n")[0]


def stem_conv(b: GraphBuilder, image: Value, channels: int) -> Value:
    """The first layer: 3x3 stride 2 with batch norm, no ReLU."""
    return conv_bn(b, image, channels, kernel=3, stride=2, name="conv")


def fuse(b: GraphBuilder, low: Value, high: Value, channels: int) -> Value:
    """Bring a map up one scale: arm (1x1, batch norm), upsampling, concatenation, refinement (3x3, batch norm).

    Args:
        b: The builder.
        low: The coarser map.
        high: The branch's last map at the finer scale.
        channels: Channels of the arm and of the result.
    """
    arm = resize(b, conv_bn(b, low, channels, name="arm"), high.shape[2:])
    return conv_bn(b, concat(b, arm, high), channels, kernel=3, name="refine")


def feature_fusion(b: GraphBuilder, branches: tuple[Value, ...], channels: int) -> Value:
    """FFM: concatenation, 1x1, and squeeze-excitation without reduction that is added, ``f + f * se``."""
    fused = conv_bn_relu(b, concat(b, *branches), channels, name="conv")
    squeezed = b.append("global_average_pool", [fused])
    excited = conv_bn_relu(b, squeezed, channels, name="squeeze")
    excited = b.append("sigmoid", [conv_bn(b, excited, channels, name="excite")])
    return add(b, fused, b.append("multiply", [fused, excited]))


def head_attention(b: GraphBuilder, x: Value, attention: str) -> Value:
    """SAHead: the ``sa`` block with an identity shortcut, whose attention runs at half the resolution."""
    inner = conv_bn_relu(b, x, x.channels, name="before")
    inner = halve(b, inner)
    with b.scope("attention"):
        inner = attend(b, inner, form=attention)
    inner = relu(b, batch_norm(b, inner, name="norm"))
    inner = conv_bn(b, resize(b, inner, x.shape[2:]), x.channels, name="after")
    return relu(b, add(b, inner, x))


def lateral(b: GraphBuilder, x: Value, fine: Value, channels: int) -> Value:
    """Upsample `x` to the stride-4 feature `fine` and concatenate it with `channels` of that (1x1, batch norm)."""
    up = resize(b, x, fine.shape[2:])
    return concat(b, up, conv_bn(b, fine, channels, name="conv"))


def classifier(b: GraphBuilder, x: Value, classes: int) -> Value:
    """1x1 convolution with bias to the classes."""
    return conv(b, x, classes, bias=True, name="conv")


def _up_beside_shortcut(b: GraphBuilder, x: Value, inner: Value) -> Value:
    up = resize(b, inner, x.shape[2:])
    return relu(b, add(b, up, conv_bn(b, x, inner.channels, name="shortcut")))


def _attention_shortcut(b: GraphBuilder, x: Value, channels: int, stride: int) -> Value:
    if stride == 2:
        return conv_bn_relu(b, x, channels, kernel=3, stride=2, name="shortcut")
    return x if x.channels == channels else conv_bn_relu(b, x, channels, name="shortcut")
