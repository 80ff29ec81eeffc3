"""Which parts each settings call for: the rules of stem, cells, fusion and head, without branches.

Shared by :func:`hyctas.decomposition.decompose` (one network), :func:`hyctas.enumeration.operator_parts` (all
that a space can need) and the predictor's encoder, so that sizes and channels are worked out in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hyctas.architecture import ArchitectureDefaults
from hyctas.cell import Cell
from hyctas.channels import num_filters, stride_of
from hyctas.parts import IMAGE_CHANNELS, Part

LATERAL_CHANNELS: Final = 48
"""Channels that the s4 head takes from the stride-4 feature."""
WIDE_HEAD: Final = 256
"""From more channels than these on, a head works on half of them."""
HEAD_STRIDES: Final = {"s4": 4, "light": 8}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The parts of networks with given settings.

    Attributes:
        settings: Everything about a network but its branches.
    """

    settings: ArchitectureDefaults

    def stem(self) -> tuple[Part, Part, Part]:
        """The stem: to stride 2, to the stride-4 feature, to the stride-8 feature."""
        half, quarter = 2 * self._stem_channels(2), 2 * self._stem_channels(4)
        return (
            self._part("stem_conv", 1, (IMAGE_CHANNELS,), half),
            self._part("conv_2x", 2, (half,), quarter, stride=2),
            self._part("conv_2x", 4, (quarter,), self.stem_out, stride=2),
        )

    @property
    def stem_out(self) -> int:
        """Channels of the stride-8 feature that every branch starts from."""
        return self._stem_channels(8)

    def cell_out(self, scale: int, cell: Cell) -> int:
        """Output channels of a cell at `scale`; the head width rules a cell without a width."""
        stride = stride_of(scale) * (2 if cell.down else 1)
        width = self.settings.head_width if cell.width is None else cell.width
        return num_filters(stride, self.settings.base_channels, width)

    def cell(self, scale: int, in_channels: int, cell: Cell) -> Part:
        """The part of a cell at `scale` that reads `in_channels`."""
        form = self.settings.attention if cell.op == "sa" else ""
        out = self.cell_out(scale, cell)
        return self._part(cell.op, stride_of(scale), (in_channels,), out, stride=2 if cell.down else 1, attention=form)

    def branch_out(self, scale: int) -> int:
        """Channels of what a branch hands on at `scale`: its last cell's, an arm's or a refinement's."""
        return num_filters(stride_of(scale), self.settings.base_channels, self.settings.head_width)

    def fuse(self, scale: int, high_channels: int) -> Part:
        """The step that brings a branch from `scale` up to the next finer one."""
        channels = (self.branch_out(scale), high_channels)
        return self._part("fuse", stride_of(scale), channels, self.branch_out(scale - 1))

    def ffm(self, branches: int) -> Part:
        """The fusion of all branches at 1/8."""
        channels = (self.branch_out(0),) * branches
        return self._part("ffm", stride_of(0), channels, sum(channels))

    def auxiliary_ffm(self, scale: int, in_channels: tuple[int, ...]) -> Part:
        """The fusion in front of an auxiliary head of the training form."""
        return self._part("ffm", stride_of(scale), in_channels, self.branch_out(scale))

    def head(self, channels: int) -> tuple[Part, ...]:
        """The parts of the head on `channels`, in order; in the s4 form the second is ``lateral``."""
        if self.settings.head == "light":
            return self.light_head(0, channels)
        attention = self._head_attention(stride_of(0), channels)
        fine = 2 * self._stem_channels(4)
        joined = channels + LATERAL_CHANNELS
        lateral = self._part("lateral", 8, (channels, fine), joined)
        return (attention, lateral, *self._decoder(4, joined, _middle(channels)))

    def light_head(self, scale: int, channels: int) -> tuple[Part, ...]:
        """The light head at `scale`; also the form of auxiliary heads."""
        stride = stride_of(scale)
        return (self._head_attention(stride, channels), *self._decoder(stride, channels, _middle(channels)))

    def output(self) -> tuple[Part, ...]:
        """What follows the logits: nothing, upsampling to the input's size, and the class of each pixel."""
        s = self.settings
        if s.output == "logits":
            return ()
        stride = HEAD_STRIDES[s.head]
        upsample = self._part("upsample", stride, (s.classes,), s.classes, stride=stride)
        if s.output == "upsampled":
            return (upsample,)
        return (upsample, self._part("argmax", 1, (s.classes,), 1))

    def _head_attention(self, stride: int, channels: int) -> Part:
        return self._part("head_attention", stride, (channels,), channels, attention=self.settings.attention)

    def _decoder(self, stride: int, channels: int, middle: int) -> tuple[Part, Part, Part]:
        return (
            self._part("conv_2x_downup", stride, (channels,), middle),
            self._part("conv", stride, (middle,), middle),
            self._part("classifier", stride, (middle,), self.settings.classes),
        )

    def _stem_channels(self, stride: int) -> int:
        return num_filters(stride, self.settings.base_channels, self.settings.stem_width)

    def _part(
        self, kind: str, at: int, in_channels: tuple[int, ...], out: int, *, stride: int = 1, attention: str = ""
    ) -> Part:
        """A part whose first input is a map at stride `at`."""
        s = self.settings
        return Part(kind, s.height // at, s.width // at, in_channels, out, stride, s.batch, attention)


def _middle(channels: int) -> int:
    return channels if channels <= WIDE_HEAD else channels // 2
