"""Crossover: children that have cells of two architectures, and never leave the space.

Both kinds keep trunks: all branches of a child change over at the same depth, so what either parent's branches
share on its side of that depth, the child's branches share too.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hyctas.architecture import Architecture
from hyctas.space import SearchSpace
from search.evolution.branch_changes import graft
from search.evolution.branch_codes import (
    Codes,
    architecture_of,
    below,
    codes_of,
    downs,
    in_order,
    shared_by_all,
    with_downs,
)

GRAFTED: Final = 0.5
"""Chance that branches which are handed over go on from a trunk of the other parent."""


def crossed(
    space: SearchSpace, first: Architecture, second: Architecture, rng: np.random.Generator, *, tree: bool
) -> Architecture:
    """A child of two architectures of the space, with the settings of the first.

    Args:
        space: Where they belong, and the child too.
        first: Gives the leading cells, or all branches but some.
        second: Gives what follows, or these branches.
        rng: Source of randomness.
        tree: Whether whole branches are handed over, which can change how many there are; otherwise the child has
            the last scales of `first`.

    Returns:
        A child; `first` itself where they have no branch in common.
    """
    cross = tree_crossover if tree else one_point_crossover
    return architecture_of(first.settings, cross(space, codes_of(first), codes_of(second), rng))


def one_point_crossover(space: SearchSpace, first: Codes, second: Codes, rng: np.random.Generator) -> Codes:
    """Let each branch go on, from some depth, like the other parent's branch of the same last scale.

    The depth is the same for all branches, and one at which both parents have gone down equally often, if there is any.
    """
    others = {downs(code): code for code in second}
    pairs = [(code, others.get(downs(code))) for code in first]
    both = [(own, other) for own, other in pairs if other is not None]
    if not both:
        return first
    depths = range(1, min(min(len(own), len(other)) for own, other in both))
    level = [cut for cut in depths if all(downs(own[:cut]) == downs(other[:cut]) for own, other in both)]
    choices = level or depths
    if not choices:
        return first
    cut = choices[below(rng, len(choices))]
    return tuple([own if other is None else _changing_over(own, other, cut, rng) for own, other in pairs])


def tree_crossover(space: SearchSpace, first: Codes, second: Codes, rng: np.random.Generator) -> Codes:
    """Give the first parent a subtree of the second: the branches that run through one of its cells.

    They take the place of the branches that end at the same scales, and where there would be too many, of others. Half
    the time they go on from a trunk of the first parent.
    """
    subtree = _subtree(second, rng)
    if rng.random() < GRAFTED:
        subtree = _grafted(first[below(rng, len(first))], subtree, rng)
    taken = {downs(code) for code in subtree}
    kept = [code for code in first if downs(code) not in taken]
    while len(kept) + len(subtree) > space.max_branches:
        del kept[below(rng, len(kept))]
    return in_order((*kept, *subtree))


def _changing_over(own: bytes, other: bytes, cut: int, rng: np.random.Generator) -> bytes:
    """The first `cut` cells of a branch, then the other's, going down as often; the branch itself if that cannot be."""
    tail = with_downs(other[cut:], downs(other) - downs(own[:cut]), rng)
    return own if tail is None else own[:cut] + tail


def _subtree(codes: Codes, rng: np.random.Generator) -> Codes:
    """The branches that begin like one of them up to some depth."""
    own = codes[below(rng, len(codes))]
    prefix = own[: below(rng, len(own))]
    return tuple([code for code in codes if code.startswith(prefix)])


def _grafted(trunk: bytes, subtree: Codes, rng: np.random.Generator) -> Codes:
    """The branches on the same leading cells of a trunk; those that cannot begin so stay as they are."""
    if len(subtree) == 1:
        grafted = graft(trunk, subtree[0], rng)
        return subtree if grafted is None else (grafted,)
    cut = below(rng, min(len(trunk) - 1, shared_by_all(subtree)) + 1)
    missing = [downs(code) - downs(trunk[:cut]) for code in subtree]
    tails = [with_downs(code[cut:], lack, rng) for code, lack in zip(subtree, missing, strict=True)]
    return tuple(code if tail is None else trunk[:cut] + tail for code, tail in zip(subtree, tails, strict=True))
