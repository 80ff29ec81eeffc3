"""How the networks of the space ``hyctas`` are built (arXiv 2403.10413)."""

from __future__ import annotations

from typing import Final

from hyctas.blueprint import Chain, Step
from hyctas.cell import Cell
from hyctas.channels import middle_channels, stride_of
from hyctas.parts import IMAGE_CHANNELS, Part
from hyctas.trellis import Trellis

LATERAL_CHANNELS: Final = 48
"""Channels that the s4 head takes from the stride-4 feature."""
HEAD_STRIDES: Final = {"s4": 4, "light": 8}


class HyctasBlueprint(Trellis):
    """The parts of networks with given settings; follows :class:`hyctas.blueprint.Blueprint`."""

    __slots__ = ()

    def stem(self) -> Chain:
        """The stem: to stride 2, to the stride-4 feature, to the stride-8 feature."""
        return (
            Step("conv", self.part("stem_conv", 1, (IMAGE_CHANNELS,), self.stem_half)),
            Step("stride4", self.part("conv_2x", 2, (self.stem_half,), self.stem_quarter, stride=2)),
            Step("stride8", self.part("conv_2x", 4, (self.stem_quarter,), self.stem_out, stride=2)),
        )

    def cell(self, scale: int, in_channels: int, cell: Cell) -> Part:
        """The part of a cell at `scale` that reads `in_channels`."""
        form = self.settings.attention if cell.op == "sa" else ""
        out = self.cell_out(scale, cell)
        return self.part(cell.op, stride_of(scale), (in_channels,), out, stride=2 if cell.down else 1, attention=form)

    def bring_up(self, scale: int, low_channels: int, high_channels: int) -> Chain:
        """Arm, upsampling, concatenation and refinement, as one part."""
        out = self.branch_out(scale - 1)
        return (Step("", self.part("fuse", stride_of(scale), (low_channels, high_channels), out)),)

    def fusion(self, channels: tuple[int, ...]) -> Chain:
        """FFM."""
        return (Step("ffm", self.part("ffm", stride_of(0), channels, sum(channels))),)

    def head(self, channels: int) -> Chain:
        """The parts of the head on `channels`; in the s4 form the second is ``lateral``."""
        if self.settings.head == "light":
            return self._light_head(0, channels)
        attention = self._head_attention(stride_of(0), channels)
        joined = channels + LATERAL_CHANNELS
        lateral = self.part("lateral", 8, (channels, self.stem_quarter), joined)
        return (attention, Step("lateral", lateral), *self._decoder(4, joined, middle_channels(channels)))

    def output(self) -> Chain:
        """What follows the logits: nothing, upsampling to the input's size, and the class of each pixel."""
        s = self.settings
        if s.output == "logits":
            return ()
        stride = HEAD_STRIDES[s.head]
        upsample = Step("upsample", self.part("upsample", stride, (s.classes,), s.classes, stride=stride))
        if s.output == "upsampled":
            return (upsample,)
        return (upsample, Step("argmax", self.part("argmax", 1, (s.classes,), 1)))

    def auxiliary(self, scale: int, channels: tuple[int, ...]) -> Chain:
        """FFM and a light head."""
        out = self.branch_out(scale)
        return (Step("ffm", self.part("ffm", stride_of(scale), channels, out)), *self._light_head(scale, out))

    def _light_head(self, scale: int, channels: int) -> Chain:
        stride = stride_of(scale)
        return (self._head_attention(stride, channels), *self._decoder(stride, channels, middle_channels(channels)))

    def _head_attention(self, stride: int, channels: int) -> Step:
        form = self.settings.attention
        return Step("head_attention", self.part("head_attention", stride, (channels,), channels, attention=form))

    def _decoder(self, stride: int, channels: int, middle: int) -> Chain:
        return (
            Step("conv_2x_downup", self.part("conv_2x_downup", stride, (channels,), middle)),
            Step("conv", self.part("conv", stride, (middle,), middle)),
            Step("classifier", self.part("classifier", stride, (middle,), self.settings.classes)),
        )
