"""Slots of the supernet: which parameters a part of a network uses, and how large they are at most.

A *slot* is a set of parameters. A cell's is that of its layer, scale, operator and stride, whatever branch it is in and
whatever widths it has; an arm's that of the scale at which its branch ends; stem, fusion and heads have one each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from types import MappingProxyType
from typing import Final

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.blueprint import Blueprint
from hyctas.blueprints import blueprint_of
from hyctas.cell import Branch, Cell, Operator
from hyctas.decomposition import PlacedPart, decompose
from hyctas.enumeration import branch_ends, input_channels
from hyctas.graph import Graph, Parameter
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.space import SearchSpace

Shape = tuple[int, ...]
PART_GRAPHS: Final = 8192
"""Graphs of parts that are kept; a space at one image size has a few thousand."""


@dataclass(frozen=True, eq=False)
class Template:
    """What a slot holds.

    Attributes:
        parameters: Trainable parameters at their largest, by their name inside the part (``conv.weight``).
    """

    parameters: Mapping[str, Parameter]


@lru_cache(maxsize=PART_GRAPHS)
def part_graph(part: Part) -> Graph:
    """The graph of one part."""
    return lower_part(part)


def local_name(part: Part, name: str) -> str:
    """The name inside its part of something in :func:`part_graph`."""
    return name.removeprefix(f"{part.kind}.")


def slot_of(architecture: Architecture, placed: PlacedPart) -> str:
    """Name of the slot whose parameters a placed part uses."""
    branch, number = _position(placed.place)
    if branch is None:
        return placed.place
    path = architecture.branches[branch]
    if placed.region == "cells":
        return cell_slot(number, path.scales[number], path.cells[number])
    _, _, step = placed.place.partition(f".from_scale{number}")
    return f"fusion.last{path.last_scale}.from_scale{number}{step}"


def cell_slot(layer: int, scale: int, cell: Cell) -> str:
    """Name of the slot of a cell; its width is a matter of slicing."""
    return f"cells[{layer}].scale{scale}.{'down' if cell.down else 'keep'}.{cell.op}"


def slot_templates(space: SearchSpace, settings: ArchitectureDefaults) -> Mapping[str, Template]:
    """Every slot that an architecture of `space` with these settings can use, in training form."""
    return dict([*_cell_templates(space, settings), *_shared_templates(space, settings)])


def _position(place: str) -> tuple[int | None, int]:
    """Branch and number (of the cell, or the scale that is left) in a place; no branch for shared parts."""
    digits = "".join(letter if letter.isdigit() else " " for letter in place).split()
    if "branches[" not in place:
        return None, 0
    return int(digits[0]), int(digits[1])


def _cell_templates(space: SearchSpace, settings: ArchitectureDefaults) -> Iterator[tuple[str, Template]]:
    """One template a scale, operator and stride, which all layers have in common."""
    blueprint = blueprint_of(settings)
    coarsest = max(space.scales)
    for scale, op, down in product(range(coarsest + 1), space.operators, (False, True)):
        if down and scale == coarsest:
            continue
        wide = [Cell(op, width, down) for width in space.widths]
        cells = wide if down else [*wide, Cell(op, None, False)]
        inputs = {blueprint.cell_out(scale, cell) for cell in all_widths(space)}
        if scale == 0:
            inputs.add(blueprint.stem_out)
        template = largest(blueprint.cell(scale, channels, cell) for channels, cell in product(inputs, cells))
        for layer in range(scale, space.depth - down):
            yield cell_slot(layer, scale, cells[0]), template


def all_widths(space: SearchSpace) -> Iterator[Cell]:
    """A cell of each output width."""
    return (Cell(space.operators[0], width, False) for width in space.widths)


def _shared_templates(space: SearchSpace, settings: ArchitectureDefaults) -> Iterator[tuple[str, Template]]:
    """Stem, fusion and heads, from the widest network with each set of branches.

    Sets of more branches than the space allows count too: fusion has room for each scale, whichever a network has.
    """
    parts: dict[str, list[Part]] = {}
    last_operators = dict.fromkeys((space.operators[-1], space.operators[0]))
    for count, early, last in product(range(1, len(space.scales) + 1), (False, True), last_operators):
        for scales in combinations(space.scales, count):
            branches = tuple(_widest_branch(space, scale, last, early=early) for scale in scales)
            network = settings.architecture(branches)
            for placed in decompose(network, training=True).parts:
                if placed.region != "cells":
                    parts.setdefault(slot_of(network, placed), []).append(placed.part)
    for slot, part in _behind_branches(space, settings):
        parts.setdefault(slot, []).append(part)
    return ((slot, largest(found)) for slot, found in parts.items())


def _behind_branches(space: SearchSpace, settings: ArchitectureDefaults) -> Iterator[tuple[str, Part]]:
    """Fusion and heads behind branches of all widths: those of a head need not grow with what it reads."""
    blueprint = blueprint_of(settings)
    ends = {scale: branch_ends(space, blueprint, scale) for scale in space.scales}
    for count, first in product(range(1, len(space.scales) + 1), ends[0]):
        fusion = blueprint.fusion((first, *[blueprint.branch_out(0)] * (count - 1)))
        yield from ((f"fusion.{name}", part) for name, part in fusion)
        yield from ((f"head.{name}", part) for name, part in blueprint.head(fusion[-1].part.out_channels))
    for scale, name in ((1, "auxiliary16"), (2, "auxiliary32")):
        for maps in _auxiliary_maps(space, blueprint, scale, ends):
            yield from ((f"{name}.{step.name}", step.part) for step in blueprint.auxiliary(scale, maps))


def _auxiliary_maps(
    space: SearchSpace, blueprint: Blueprint, scale: int, ends: Mapping[int, tuple[int, ...]]
) -> Iterator[tuple[int, ...]]:
    """Channels of the maps that an auxiliary head may read: the last one before a branch goes down, and its end."""
    own = [(channels,) for channels in ends.get(scale, ())]
    passing = [(channels,) for channels in input_channels(space, blueprint, scale)] if scale + 1 in ends else []
    yield from (*own, *passing, *(first + second for first, second in product(passing, own)))


def _widest_branch(space: SearchSpace, scale: int, last: Operator, *, early: bool) -> Branch:
    """A branch that ends at `scale`, as wide as the space allows, that goes down at once or as late as it can."""
    length, op = space.depth, space.operators[-1]
    first = 0 if early else length - 1 - scale
    inner = [Cell(op, space.widths[-1], down=first <= number < first + scale) for number in range(length - 1)]
    return Branch((*inner, Cell(last, None, False)))


def largest(parts: Iterator[Part] | list[Part]) -> Template:
    """A template that every one of `parts` is a slice of."""
    found: dict[str, Parameter] = {}
    for part in parts:
        for parameter in part_graph(part).parameters:
            if parameter.trainable:
                name = local_name(part, parameter.name)
                before = found[name].shape if name in found else parameter.shape
                shape = tuple(map(max, before, parameter.shape))
                found[name] = Parameter(name, shape, parameter.role)
    return Template(MappingProxyType(found))
