"""Parts: the operators that an architecture is made of, each with the sizes that it is built at.

A :class:`Part` is what gets measured alone and what a cost is attached to. :func:`decompose` lists the parts of
an architecture with their wiring; lowering a network walks that list, so there is one description of how a
network is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.graph import Value
from hyctas.layers import resize
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
TWO_INPUTS: Final = ("fuse", "lateral")
"""Kinds whose second input is a map of twice the size of the first."""


@dataclass(frozen=True, slots=True)
class Part:
    """One operator at one size: the unit that is measured alone.

    Attributes:
        kind: A candidate operator of a cell, or one of :data:`PART_KINDS`.
        height: Rows of the first input's map.
        width: Columns of the first input's map.
        in_channels: Channels of each input.
        out_channels: Channels of the output (classes of ``argmax``).
        stride: 1 or 2; for ``upsample`` the factor.
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
        """Shape of each input; the second input of ``fuse`` and ``lateral`` is a map of twice the size."""
        finer = 2 if self.kind in TWO_INPUTS else 1
        factors = (1 if position == 0 else finer for position in range(len(self.in_channels)))
        return tuple(
            (self.batch, channels, self.height * factor, self.width * factor)
            for channels, factor in zip(self.in_channels, factors, strict=True)
        )

    @property
    def can_chain(self) -> bool:
        """Whether the output can feed the same operator again."""
        return self.stride == 1 and self.in_channels == (self.out_channels,) and self.kind != "upsample"

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


def _upsample(b: GraphBuilder, inputs: tuple[Value, ...], part: Part) -> Value:
    return resize(b, inputs[0], (part.height * part.stride, part.width * part.stride))


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
    }
)
"""Builders of the parts that are no candidate operator of a cell."""
