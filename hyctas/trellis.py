"""Channels and map sizes on the trellis of scales: what the blueprints of all spaces have in common."""

from __future__ import annotations

from dataclasses import dataclass

from hyctas.architecture import ArchitectureDefaults
from hyctas.cell import Cell
from hyctas.channels import num_filters, stride_of
from hyctas.parts import Part


@dataclass(frozen=True, slots=True)
class Trellis:
    """Sizes of networks with given settings.

    Attributes:
        settings: Everything about a network but its branches.
    """

    settings: ArchitectureDefaults

    @property
    def stem_out(self) -> int:
        """Channels of the stride-8 feature that every branch starts from."""
        return self.stem_channels(8)

    @property
    def stem_half(self) -> int:
        """Channels of the stem at stride 2."""
        return 2 * self.stem_channels(2)

    @property
    def stem_quarter(self) -> int:
        """Channels of the stride-4 feature."""
        return 2 * self.stem_channels(4)

    def stem_channels(self, stride: int) -> int:
        """Channels at `stride` under the stem's width."""
        return num_filters(stride, self.settings.base_channels, self.settings.stem_width)

    def cell_out(self, scale: int, cell: Cell) -> int:
        """Channels that the width of a cell at `scale` stands for; the head width rules a cell without a width."""
        stride = stride_of(scale) * (2 if cell.down else 1)
        width = self.settings.head_width if cell.width is None else cell.width
        return num_filters(stride, self.settings.base_channels, width)

    def branch_out(self, scale: int) -> int:
        """Channels of what fusion hands on at `scale`."""
        return num_filters(stride_of(scale), self.settings.base_channels, self.settings.head_width)

    def part(
        self, kind: str, at: int, in_channels: tuple[int, ...], out: int, *, stride: int = 1, attention: str = ""
    ) -> Part:
        """A part whose first input is a map at stride `at`."""
        s = self.settings
        return Part(kind, s.height // at, s.width // at, in_channels, out, stride, s.batch, attention)
