"""Architectures of small spaces, drawn by hypothesis from all that there are."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.cardinality import branches_at
from hyctas.prefix_tree import Strata, draw_tree
from hyctas.space import SearchSpace

NETWORKS = ArchitectureDefaults(height=32, width=64, base_channels=2, classes=3)
"""Settings under which lowering is quick."""
SPACES = (
    SearchSpace(depth=6, min_cells=2),
    SearchSpace(depth=4, min_cells=4),
    SearchSpace(depth=5, min_cells=3, max_branches=2, operators=("conv", "sa"), widths=(4, 12)),
    SearchSpace(depth=3, min_cells=1, max_branches=1, operators=("skip",), widths=(6,)),
    SearchSpace(depth=1, min_cells=1),
)
"""Wide, of one length, of few choices, of one branch, and of single cells."""

spaces = st.sampled_from(SPACES)
seeds = st.integers(0, 2**32 - 1)


def architectures(space: SearchSpace) -> st.SearchStrategy[Architecture]:
    """Every architecture of a space; half of those drawn have trunks."""
    numbers = st.integers(0, space.cardinality - 1)
    any_one = st.builds(lambda number: NETWORKS.architecture(branches_at(space, number)), numbers)
    return st.one_of(any_one, st.builds(lambda seed: with_trunks(space, seed), seeds))


def with_trunks(space: SearchSpace, seed: int) -> Architecture:
    """A prefix tree with as many branches as the space allows."""
    rng = generator(seed)
    most = min(space.max_branches, len(space.scales))
    return NETWORKS.architecture(draw_tree(space, rng, Strata(most, *rng.random(3).tolist())))


def generator(seed: int) -> np.random.Generator:
    """A generator of random numbers."""
    return np.random.default_rng(seed)
