"""How the networks of the space ``fasterseg`` are built (arXiv 1912.10917).

What its published latency table has an entry for is a part of its own, so a network's latency is the sum of its
parts' entries; what the table counts as free (upsampling and concatenation between two operators) are parts of the
kinds ``join`` and ``concat``. Fusion has no squeeze-excitation: the release holds weights for it, but never runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hyctas.blueprint import Chain, Step
from hyctas.cell import Cell, Operator
from hyctas.channels import stride_of
from hyctas.parts import IMAGE_CHANNELS, Part
from hyctas.trellis import Trellis

HEAD_STRIDE: Final = 8
KIND_OF: Final[Mapping[Operator, str]] = {
    "conv": "conv",
    "conv_2x": "conv_2x",
    "conv_downup": "downup",
    "conv_2x_downup": "downup_2x",
}
"""Kind of the part of each operator; ``skip`` is ``identity`` at stride 1 and ``reduce`` at stride 2."""


class FasterSegBlueprint(Trellis):
    """The parts of networks with given settings; follows :class:`hyctas.blueprint.Blueprint`."""

    __slots__ = ()

    def stem(self) -> Chain:
        """The stem: to stride 2, to the stride-4 feature, to the stride-8 feature."""
        return (
            Step("conv", self.part("conv_norm_3x3", 1, (IMAGE_CHANNELS,), self.stem_half, stride=2)),
            Step("stride4", self.part("conv_2x", 2, (self.stem_half,), self.stem_quarter, stride=2)),
            Step("stride8", self.part("conv_2x", 4, (self.stem_quarter,), self.stem_out, stride=2)),
        )

    def cell(self, scale: int, in_channels: int, cell: Cell) -> Part:
        """The part of a cell at `scale` that reads `in_channels`; a skip that keeps its scale hands them on."""
        at = stride_of(scale)
        if cell.op == "skip" and not cell.down:
            return self.part("identity", at, (in_channels,), in_channels)
        kind = "reduce" if cell.op == "skip" else KIND_OF[cell.op]
        return self.part(kind, at, (in_channels,), self.cell_out(scale, cell), stride=2 if cell.down else 1)

    def bring_up(self, scale: int, low_channels: int, high_channels: int) -> Chain:
        """Arm (1x1), upsampling and concatenation, refinement (3x3)."""
        at, out = stride_of(scale), self.branch_out(scale - 1)
        joined = out + high_channels
        return (
            Step("arm", self.part("conv_norm_1x1", at, (low_channels,), out)),
            Step("join", self.part("join", at, (out, high_channels), joined)),
            Step("refine", self.part("conv_norm_3x3", at // 2, (joined,), out)),
        )

    def fusion(self, channels: tuple[int, ...]) -> Chain:
        """Concatenation, and the 1x1 convolution of the release's feature fusion."""
        joined = sum(channels)
        return (*self._concat(0, channels), Step("ff", self.part("ff", stride_of(0), (joined,), joined)))

    def head(self, channels: int) -> Chain:
        """The head, at stride 8."""
        return (self._plain_head(0, channels),)

    def output(self) -> Chain:
        """What follows the logits: nothing, upsampling to the input's size, and the class of each pixel."""
        s = self.settings
        if s.output == "logits":
            return ()
        upsample = self.part("upsample_aligned", HEAD_STRIDE, (s.classes,), s.classes, stride=HEAD_STRIDE)
        if s.output == "upsampled":
            return (Step("upsample", upsample),)
        return (Step("upsample", upsample), Step("argmax", self.part("argmax", 1, (s.classes,), 1)))

    def auxiliary(self, scale: int, channels: tuple[int, ...]) -> Chain:
        """Concatenation and a head."""
        return (*self._concat(scale, channels), self._plain_head(scale, sum(channels)))

    def _concat(self, scale: int, channels: tuple[int, ...]) -> Chain:
        if len(channels) == 1:
            return ()
        return (Step("concat", self.part("concat", stride_of(scale), channels, sum(channels))),)

    def _plain_head(self, scale: int, channels: int) -> Step:
        return Step("plain_head", self.part("plain_head", stride_of(scale), (channels,), self.settings.classes))
