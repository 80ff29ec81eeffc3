"""An architecture as a list of parts with their wiring: what its graph is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from hyctas.architecture import Architecture
from hyctas.blueprint import Chain
from hyctas.blueprints import blueprint_of
from hyctas.cell import Branch
from hyctas.parts import TWO_INPUTS, Part
from hyctas.sharing import SharedPrefix, built_from

Region = Literal["stem", "cells", "fusion", "head", "auxiliary"]
IMAGE: Final = -1
"""Stands for the network's input among the inputs of a part."""


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """A part at its place in a network.

    Attributes:
        part: The operator and its sizes.
        place: Its name, such as ``stem.conv``, ``branches[1].cells[4]`` or ``head.classifier``.
        region: The coarse part of the network that it belongs to.
        inputs: Positions in the decomposition of the parts that it reads, or :data:`IMAGE`.
    """

    part: Part
    place: str
    region: Region
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """All parts of a network in execution order.

    Attributes:
        parts: Each part that is built, once.
        outputs: Positions of the network's outputs: the result, then auxiliary logits of the training form.
    """

    parts: tuple[PlacedPart, ...]
    outputs: tuple[int, ...]


def decompose(architecture: Architecture, *, training: bool = False) -> Decomposition:
    """List the parts of `architecture`; shared prefixes appear once, under the first branch that has them.

    Args:
        architecture: The network.
        training: Add the auxiliary fusions and heads on the 1/16 and 1/32 maps that exist in training only.
    """
    return _Assembly(architecture).assemble(training=training)


class _Assembly:
    """Collects parts and remembers where the maps that others read are."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._blueprint = blueprint_of(architecture.settings)
        self._parts: list[PlacedPart] = []
        self._cells: list[list[int]] = []

    def assemble(self, *, training: bool) -> Decomposition:
        stem = self._stem()
        branches = self._architecture.branches
        for index, (branch, shared) in enumerate(zip(branches, built_from(self._architecture), strict=True)):
            self._branch(index, branch, shared, stem[-1])
        fused = tuple(self._bring_up(index, branch, stem[-1]) for index, branch in enumerate(branches))
        fusion = self._blueprint.fusion(tuple(map(self._channels, fused)))
        features = self._chain(fusion, "fusion", "fusion", *fused)
        result = self._head(features, stem[1])
        auxiliary = self._auxiliary(stem[-1]) if training else ()
        return Decomposition(tuple(self._parts), (result, *auxiliary))

    def _add(self, part: Part, place: str, region: Region, *inputs: int) -> int:
        self._parts.append(PlacedPart(part, place, region, inputs))
        return len(self._parts) - 1

    def _chain(self, chain: Chain, place: str, region: Region, *inputs: int, finer: int = IMAGE) -> int:
        """Add the parts of a chain, see :mod:`hyctas.blueprint`; returns the position of the last."""
        for name, part in chain:
            beside = (finer,) if part.kind in TWO_INPUTS else ()
            inputs = (self._add(part, f"{place}.{name}" if name else place, region, *inputs, *beside),)
        return inputs[0]

    def _channels(self, position: int) -> int:
        return self._parts[position].part.out_channels

    def _stem(self) -> tuple[int, ...]:
        positions: list[int] = []
        for name, part in self._blueprint.stem():
            positions.append(self._add(part, f"stem.{name}", "stem", positions[-1] if positions else IMAGE))
        return tuple(positions)

    def _branch(self, index: int, branch: Branch, shared: SharedPrefix, stem: int) -> None:
        cells = self._cells[shared.owner][: shared.length] if shared.length else []
        for number in range(shared.length, len(branch.cells)):
            source = cells[-1] if cells else stem
            part = self._blueprint.cell(branch.scales[number], self._channels(source), branch.cells[number])
            cells.append(self._add(part, f"branches[{index}].cells[{number}]", "cells", source))
        self._cells.append(cells)

    def _last_map(self, index: int, scale: int, stem: int) -> int:
        """The input of the branch's cell that goes down from `scale`."""
        branch = self._architecture.branches[index]
        going_down = max(number for number, at in enumerate(branch.scales) if at == scale)
        return self._cells[index][going_down - 1] if going_down else stem

    def _bring_up(self, index: int, branch: Branch, stem: int) -> int:
        position = self._cells[index][-1]
        for scale in range(branch.last_scale, 0, -1):
            high = self._last_map(index, scale - 1, stem)
            chain = self._blueprint.bring_up(scale, self._channels(position), self._channels(high))
            place = f"fusion.branches[{index}].from_scale{scale}"
            position = self._chain(chain, place, "fusion", position, finer=high)
        return position

    def _head(self, features: int, quarter: int) -> int:
        chain = (*self._blueprint.head(self._channels(features)), *self._blueprint.output())
        return self._chain(chain, "head", "head", features, finer=quarter)

    def _auxiliary(self, stem: int) -> tuple[int, ...]:
        """Auxiliary logits: on the 1/32 outputs, and on the last 1/16 maps."""
        by_scale = {branch.last_scale: index for index, branch in enumerate(self._architecture.branches)}
        sources: dict[int, list[int]] = {2: [], 1: []}
        if 2 in by_scale:
            sources[2].append(self._cells[by_scale[2]][-1])
            sources[1].append(self._last_map(by_scale[2], 1, stem))
        if 1 in by_scale:
            sources[1].append(self._cells[by_scale[1]][-1])
        return tuple(self._auxiliary_head(scale, maps) for scale, maps in sources.items() if maps)

    def _auxiliary_head(self, scale: int, maps: list[int]) -> int:
        chain = self._blueprint.auxiliary(scale, tuple(map(self._channels, maps)))
        return self._chain(chain, f"auxiliary{8 << scale}", "auxiliary", *maps)
