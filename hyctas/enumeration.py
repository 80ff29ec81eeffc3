"""Every distinct operator that networks of a space can need at one input size: the table to measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from hyctas.architecture import ArchitectureDefaults
from hyctas.blueprint import Blueprint, Chain
from hyctas.blueprints import blueprint_of
from hyctas.cell import SCALES, Cell
from hyctas.parts import Part
from hyctas.space import SearchSpace
from hyctas.space_rules import rules_of


def operator_parts(space: SearchSpace, settings: ArchitectureDefaults) -> tuple[Part, ...]:
    """All parts of all networks of `space` with these settings, under every form of head, each once.

    All operators x input and output widths x scales x strides, the stem, the fusion of every scale and width
    and of every number of branches, the heads, and what follows the logits.
    """
    parts: dict[Part, None] = {}
    for head in rules_of(space.name).heads:
        blueprint = blueprint_of(replace(settings, head=head))
        parts.update((step.part, None) for step in blueprint.stem())
        parts.update((part, None) for part in _cells(space, blueprint))
        chains = (*_fusions_and_heads(space, blueprint), blueprint.output())
        parts.update((step.part, None) for chain in chains for step in chain)
    return tuple(parts)


def _cells(space: SearchSpace, blueprint: Blueprint) -> Iterator[Part]:
    for scale in SCALES:
        for channels in input_channels(space, blueprint, scale):
            for op in space.operators:
                yield blueprint.cell(scale, channels, Cell(op, None, False))
                for width in space.widths:
                    yield blueprint.cell(scale, channels, Cell(op, width, False))
                    if scale != SCALES[-1]:
                        yield blueprint.cell(scale, channels, Cell(op, width, True))


def _fusions_and_heads(space: SearchSpace, blueprint: Blueprint) -> Iterator[Chain]:
    for scale in SCALES[1:]:
        for low, high in product(branch_ends(space, blueprint, scale), input_channels(space, blueprint, scale - 1)):
            yield blueprint.bring_up(scale, low, high)
    for count in range(1, space.max_branches + 1):
        for first in branch_ends(space, blueprint, 0):
            fusion = blueprint.fusion((first, *[blueprint.branch_out(0)] * (count - 1)))
            yield fusion
            yield blueprint.head(fusion[-1].part.out_channels)


def input_channels(space: SearchSpace, blueprint: Blueprint, scale: int) -> tuple[int, ...]:
    """Channels that a cell at `scale` may read: every width, and at scale 0 the stem feature."""
    widths = {blueprint.cell_out(scale, Cell(space.operators[0], width, False)) for width in space.widths}
    return tuple(sorted(widths | {blueprint.stem_out} if scale == 0 else widths))


def branch_ends(space: SearchSpace, blueprint: Blueprint, scale: int) -> tuple[int, ...]:
    """Channels that a branch which ends at `scale` may hand to fusion: what any last cell makes of any input."""
    last = [Cell(op, None, False) for op in space.operators]
    inputs = input_channels(space, blueprint, scale)
    found = {blueprint.cell(scale, channels, cell).out_channels for channels, cell in product(inputs, last)}
    return tuple(sorted(found | {blueprint.branch_out(scale)}))
