"""How the networks of a space are built: stem, cells, fusion and head, without branches.

A space has one class that follows :class:`Blueprint`, in the list of :mod:`hyctas.blueprints`.
:func:`hyctas.decomposition.decompose` (one network),
:func:`hyctas.enumeration.operator_parts` (all that a space can need) and the predictor's encoder share it, so that
sizes and channels are worked out in one place.

A *chain* of steps is wired by one rule: its first part reads what the chain is given, each further one what the part
before it wrote, and a part of one of :data:`hyctas.parts.TWO_INPUTS` the finer map beside that.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from hyctas.architecture import ArchitectureDefaults
from hyctas.cell import Cell
from hyctas.parts import Part


class Step(NamedTuple):
    """A part, and its name among the parts of its region.

    Attributes:
        name: Such as ``classifier``; empty where the region has a single part.
        part: The operator and its sizes.
    """

    name: str
    part: Part


Chain = tuple[Step, ...]


class Blueprint(Protocol):
    """The parts of networks with given settings."""

    @property
    def settings(self) -> ArchitectureDefaults:
        """Everything about a network but its branches."""

    @property
    def stem_out(self) -> int:
        """Channels of the stride-8 feature that every branch starts from."""

    def stem(self) -> Chain:
        """The stem: to stride 2, to the stride-4 feature, to the stride-8 feature."""

    def cell_out(self, scale: int, cell: Cell) -> int:
        """Channels that the width of a cell at `scale` stands for; the head width rules a cell without a width."""

    def cell(self, scale: int, in_channels: int, cell: Cell) -> Part:
        """The part of a cell at `scale` that reads `in_channels`."""

    def branch_out(self, scale: int) -> int:
        """Channels of what fusion hands on at `scale`."""

    def bring_up(self, scale: int, low_channels: int, high_channels: int) -> Chain:
        """What brings a branch from `scale` up to the next finer one, where its last map has `high_channels`."""

    def fusion(self, channels: tuple[int, ...]) -> Chain:
        """The fusion of all branches at 1/8, given the channels of each; the first part reads them all."""

    def head(self, channels: int) -> Chain:
        """The head on `channels`; its finer map is the stride-4 feature."""

    def output(self) -> Chain:
        """What follows the logits: nothing, upsampling to the input's size, and the class of each pixel."""

    def auxiliary(self, scale: int, channels: tuple[int, ...]) -> Chain:
        """An auxiliary head of the training form, given the channels of each map; the first part reads them all."""
