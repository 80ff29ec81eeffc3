"""Which cells of an architecture are built once and used by several branches.

Branches share a cell as long as operator, width and next scale agree on the whole prefix from the first
layer; last cells are never shared. A shared cell is built, run and counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyctas.architecture import Architecture, Branch


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """The leading cells of a branch that an earlier branch already builds.

    Attributes:
        owner: Position of that earlier branch; where the length is 0, the branch itself.
        length: How many leading cells are shared with the owner.
    """

    owner: int
    length: int


def shared_prefix(first: Branch, second: Branch) -> int:
    """Count the leading cells that two branches share."""
    limit = min(len(first.code), len(second.code)) - 1
    left, right = first.code[:limit], second.code[:limit]
    if left == right:
        return limit
    difference = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return ((difference & -difference).bit_length() - 1) // 8


def built_from(architecture: Architecture) -> tuple[SharedPrefix, ...]:
    """Tell for each branch which of its leading cells an earlier branch builds.

    The owner is the first of the earlier branches that share most, so it holds every shared cell (some of
    which it may itself share with a branch before it).
    """
    branches = architecture.branches
    merged = []
    for position, branch in enumerate(branches):
        best = SharedPrefix(position, 0)
        for earlier in range(position):
            length = shared_prefix(branches[earlier], branch)
            if length > best.length:
                best = SharedPrefix(earlier, length)
        merged.append(best)
    return tuple(merged)
