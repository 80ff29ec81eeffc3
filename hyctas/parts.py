"""Parts: the operators that an architecture is made of, each with the sizes that it is built at.

A :class:`Part` is what gets measured alone and what a cost is attached to. :func:`decompose` lists the parts of
an architecture with their wiring; lowering a network walks that list, so there is one description of how a
network is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.fasterseg_operators import conv_norm, downup, downup_2x, identity, join, plain_head, reduce
from hyctas.fasterseg_operators import feature_fusion as fasterseg_fusion
from hyctas.graph import Value
from hyctas.layers import concat, resize
from hyctas.operators import (
    CELL_OPERATORS,
    classifier,
    feature_fusion,
    fuse,
    head_attention,
    lateral,
    stem_conv,
)

IMAGE_CHANNELS: Final = 3
TWO_INPUTS: Final = ("fuse", "lateral", "join")
"""Kinds whose second input is a map of twice the size of the first."""
STRIDED: Final = (*CELL_OPERATORS, "reduce", "downup", "downup_2x", "conv_norm_3x3")
"""Kinds that exist with stride 2 too; an upsampling has its factor in the stride's place."""


@dataclass(frozen=True, slots=True)
class Part:
    """One operator at one size: the unit that is measured alone.

    Attributes:
        kind: A candidate operator of a cell of ``hyctas``, or one of :data:`PART_KINDS`.
        height: Rows of the first input's map.
        width: Columns of the first input's map.
        in_channels: Channels of each input.
        out_channels: Channels of the output (classes of ``argmax``).
        stride: 1 or 2; for an upsampling the factor.
        batch: Images in a batch.
        attention: Form of attention where the operator has any, else empty.
    """

    kind: str
    height: int
    width: int
    in_channels: tuple[int, ...]
    out_channels: int
    stride: int = 1
    batch: int = 1
    attention: str = ""

    @property
    def input_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shape of each input; the second input of one of :data:`TWO_INPUTS` is a map of twice the size."""
        finer = 2 if self.kind in TWO_INPUTS else 1
        factors = (1 if position == 0 else finer for position in range(len(self.in_channels)))
        return tuple(
            (self.batch, channels, self.height * factor, self.width * factor)
            for channels, factor in zip(self.in_channels, factors, strict=True)
        )

    @property
    def can_chain(self) -> bool:
        """Whether the output can feed the same operator again."""
        return self.stride == 1 and self.in_channels == (self.out_channels,)

    @property
    def label(self) -> str:
        """A short name for people, such as ``conv 96>192 24x48 /2``."""
        channels = "+".join(map(str, self.in_channels))
        suffix = f" /{self.stride}" if self.stride != 1 else ""
        form = f" {self.attention}" if self.attention else ""
        return f"{self.kind} {channels}>{self.out_channels} {self.height}x{self.width}{suffix}{form}"


PartBuilder = Callable[[GraphBuilder, tuple[Value, ...], Part], Value]


def build_part(b: GraphBuilder, inputs: tuple[Value, ...], part: Part) -> Value:
    """Append the nodes of `part`, fed by `inputs`, and return its output.

    Raises:
        GraphError: The kind is unknown, or the inputs do not have the part's shapes.
    """
    shapes = tuple(value.shape for value in inputs)
    if part.kind in TWO_INPUTS and len(inputs) != 2:
        raise GraphError(f"part {part.label} takes two inputs, not {len(inputs)}")
    if shapes != part.input_shapes:
        raise GraphError(f"part {part.label} takes inputs of {part.input_shapes}, not {shapes}")
    if (operator := CELL_OPERATORS.get(part.kind)) is not None:
        return operator(b, inputs[0], part.out_channels, part.stride, part.attention)
    try:
        builder = PART_KINDS[part.kind]
    except KeyError:
        known = ", ".join((*CELL_OPERATORS, *PART_KINDS))
        raise GraphError(f"unknown part kind {part.kind!r}; known: {known}") from None
    return builder(b, inputs, part)


def _upsample(b: GraphBuilder, inputs: tuple[Value, ...], part: Part, *, align_corners: bool = False) -> Value:
    size = (part.height * part.stride, part.width * part.stride)
    return resize(b, inputs[0], size, align_corners=align_corners)


def _conv_norm(b: GraphBuilder, inputs: tuple[Value, ...], part: Part, *, kernel: int) -> Value:
    return conv_norm(b, inputs[0], part.out_channels, kernel=kernel, stride=part.stride)


PART_KINDS: Final[Mapping[str, PartBuilder]] = MappingProxyType(
    {
        "stem_conv": lambda b, inputs, part: stem_conv(b, inputs[0], part.out_channels),
        "fuse": lambda b, inputs, part: fuse(b, inputs[0], inputs[1], part.out_channels),
        "ffm": lambda b, inputs, part: feature_fusion(b, inputs, part.out_channels),
        "head_attention": lambda b, inputs, part: head_attention(b, inputs[0], part.attention),
        "lateral": lambda b, inputs, part: lateral(b, inputs[0], inputs[1], part.out_channels - part.in_channels[0]),
        "classifier": lambda b, inputs, part: classifier(b, inputs[0], part.out_channels),
        "upsample": _upsample,
        "argmax": lambda b, inputs, part: b.append("argmax", [inputs[0]]),
        "identity": lambda b, inputs, part: identity(b, inputs[0]),
        "reduce": lambda b, inputs, part: reduce(b, inputs[0], part.out_channels),
        "downup": lambda b, inputs, part: downup(b, inputs[0], part.out_channels, part.stride),
        "downup_2x": lambda b, inputs, part: downup_2x(b, inputs[0], part.out_channels, part.stride),
        "conv_norm_1x1": partial(_conv_norm, kernel=1),
        "conv_norm_3x3": partial(_conv_norm, kernel=3),
        "join": lambda b, inputs, part: join(b, inputs[0], inputs[1]),
        "concat": lambda b, inputs, part: concat(b, *inputs),
        "ff": lambda b, inputs, part: fasterseg_fusion(b, inputs[0], part.out_channels),
        "plain_head": lambda b, inputs, part: plain_head(b, inputs[0], part.out_channels),
        "upsample_aligned": partial(_upsample, align_corners=True),
    }
)
"""Builders of all other parts: stem, fusion and heads, and everything that the space ``fasterseg`` alone has."""
