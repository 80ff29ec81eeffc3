"""Every distinct operator that networks of a space can need at one input size: the table to measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hyctas.architecture import HEADS, ArchitectureDefaults
from hyctas.blueprint import Blueprint
from hyctas.cell import SCALES, Cell
from hyctas.channels import num_filters, stride_of
from hyctas.parts import Part
from hyctas.space import SearchSpace


def operator_parts(space: SearchSpace, settings: ArchitectureDefaults) -> tuple[Part, ...]:
    """All parts of all networks of `space` with these settings, under every form of head, each once.

    All operators x input and output widths x scales x strides, the stem, the fusion of every scale and width
    and of every number of branches, the heads, and what follows the logits.
    """
    parts: dict[Part, None] = {}
    for head in HEADS:
        blueprint = Blueprint(replace(settings, head=head))
        for part in (*blueprint.stem(), *_cells(space, blueprint), *_fusion_and_heads(space, blueprint)):
            parts[part] = None
    return tuple(parts)


def _cells(space: SearchSpace, blueprint: Blueprint) -> Iterator[Part]:
    for scale in SCALES:
        for channels in _input_channels(space, blueprint, scale):
            for op in space.operators:
                yield blueprint.cell(scale, channels, Cell(op, None, False))
                for width in space.widths:
                    yield blueprint.cell(scale, channels, Cell(op, width, False))
                    if scale != SCALES[-1]:
                        yield blueprint.cell(scale, channels, Cell(op, width, True))


def _fusion_and_heads(space: SearchSpace, blueprint: Blueprint) -> Iterator[Part]:
    for scale in SCALES[1:]:
        for channels in _input_channels(space, blueprint, scale - 1):
            yield blueprint.fuse(scale, channels)
    for branches in range(1, space.max_branches + 1):
        ffm = blueprint.ffm(branches)
        yield ffm
        yield from blueprint.head(ffm.out_channels)
    yield from blueprint.output()


def _input_channels(space: SearchSpace, blueprint: Blueprint, scale: int) -> tuple[int, ...]:
    """Channels that a cell at `scale` may read: every width, and at scale 0 the stem feature."""
    base = blueprint.settings.base_channels
    widths = {num_filters(stride_of(scale), base, width) for width in space.widths}
    return tuple(sorted(widths | {blueprint.stem_out} if scale == 0 else widths))
