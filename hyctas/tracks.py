"""Where a drawing puts the cells of an architecture: a lane for each branch at each scale that it builds cells at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hyctas.architecture import Architecture
from hyctas.cell import Branch
from hyctas.sharing import built_from


class Lane(NamedTuple):
    """A row of a drawing; lanes sort from top to bottom."""

    scale: int
    branch: int


@dataclass(frozen=True, slots=True)
class Track:
    """The cells that one branch builds itself.

    Attributes:
        index: The branch's position, as in the JSON.
        branch: The branch.
        start: Its first own layer.
        origin: The lane that its first own cell is fed from.
    """

    index: int
    branch: Branch
    start: int
    origin: Lane


def tracks(architecture: Architecture) -> Iterator[Track]:
    """What each branch builds itself; trunks that branches share belong to the first branch that has them."""
    for index, (branch, shared) in enumerate(zip(architecture.branches, built_from(architecture), strict=True)):
        start = shared.length
        if not start:
            yield Track(index, branch, 0, Lane(0, 0))
            continue
        feeding = start - 1
        yield Track(index, branch, start, Lane(branch.scales[feeding], _builder_of(architecture, index, feeding)))


def lanes(architecture: Architecture) -> list[Lane]:
    """The lanes that hold cells, from top to bottom."""
    own = {Lane(scale, t.index) for t in tracks(architecture) for scale in t.branch.scales[t.start :]}
    return sorted(own)


def _builder_of(architecture: Architecture, index: int, layer: int) -> int:
    """Return the branch in whose lane the cell of branch `index` at `layer` is drawn."""
    shared = built_from(architecture)
    while layer < shared[index].length:
        index = shared[index].owner
    return index
