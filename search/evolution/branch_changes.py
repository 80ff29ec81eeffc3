"""Changes of whole branches: beginning like another one, ending at another scale, one branch more, one less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from hyctas.prefix_tree import split_points
from hyctas.space import SearchSpace
from search.evolution.branch_codes import DOWN, OPERATOR, Codes, below, downs, in_order, random_cell, with_downs

BranchChange = Callable[[SearchSpace, Codes, np.random.Generator], Codes | None]
"""Branches after a change, still in the space; None where the change is not possible."""


def copy_prefix(space: SearchSpace, codes: Codes, rng: np.random.Generator) -> Codes | None:
    """Let a branch begin with the first cells of another one, so that both share a trunk."""
    if len(codes) < 2:
        return None
    branch = below(rng, len(codes))
    other = (branch + 1 + below(rng, len(codes) - 1)) % len(codes)
    grafted = graft(codes[other], codes[branch], rng)
    return None if grafted is None else _with_branch(codes, branch, grafted)


def change_last_scale(space: SearchSpace, codes: Codes, rng: np.random.Generator) -> Codes | None:
    """Let a branch end at a scale at which none ends yet; its last cells go down more or less often."""
    scales = [downs(code) for code in codes]
    free = [scale for scale in space.scales if scale not in scales]
    if not free:
        return None
    branch, scale = below(rng, len(codes)), free[below(rng, len(free))]
    changed = with_downs(codes[branch], scale, rng)
    return None if changed is None else in_order(_with_branch(codes, branch, changed))


def add_branch(space: SearchSpace, codes: Codes, rng: np.random.Generator) -> Codes | None:
    """Add a branch at a free last scale that leaves a branch at a split point, and goes on with cells like it."""
    scales = [downs(code) for code in codes]
    free = [scale for scale in space.scales if scale not in scales]
    if not free or len(codes) >= space.max_branches:
        return None
    scale, parent = free[below(rng, len(free))], codes[below(rng, len(codes))]
    least = space.fewest_cells(scale)
    length = least + below(rng, space.depth - least + 1)
    points = split_points(parent, length=length, scale=scale)
    shared = points[below(rng, len(points))]
    inner = [code & ~DOWN for code in parent[shared:-1]][: length - shared - 1]
    inner += [random_cell(space, rng) for _ in range(length - shared - 1 - len(inner))]
    last = random_cell(space, rng) & OPERATOR
    tail = with_downs(bytes([*inner, last]), scale - downs(parent[:shared]), rng)
    return None if tail is None else in_order((*codes, parent[:shared] + tail))


def drop_branch(space: SearchSpace, codes: Codes, rng: np.random.Generator) -> Codes | None:
    """Leave a branch out."""
    if len(codes) < 2:
        return None
    gone = below(rng, len(codes))
    return codes[:gone] + codes[gone + 1 :]


BRANCH_CHANGES: Final[Mapping[str, BranchChange]] = MappingProxyType(
    {
        "copy_prefix": copy_prefix,
        "last_scale": change_last_scale,
        "add_branch": add_branch,
        "drop_branch": drop_branch,
    }
)
"""Changes by their name in :class:`search.evolution.mutation.MutationMix`."""


def graft(trunk: bytes, branch: bytes, rng: np.random.Generator) -> bytes | None:
    """A branch with its length and last scale that begins with at least one cell of another; None if none can be."""
    scale = downs(branch)
    points = split_points(trunk, length=len(branch), scale=scale)
    shared = points[below(rng, len(points))]
    tail = with_downs(branch[shared:], scale - downs(trunk[:shared]), rng)
    return None if tail is None or not shared else trunk[:shared] + tail


def _with_branch(codes: Codes, branch: int, code: bytes) -> Codes:
    return (*codes[:branch], code, *codes[branch + 1 :])
