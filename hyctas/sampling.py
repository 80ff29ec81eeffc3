"""Samples of a search space.

* :func:`sample_uniform` draws every architecture with equal probability. It defines what the space is, but hardly
  ever shares a trunk and concentrates on long branches of average cost.
* :func:`sample_structured` draws prefix trees (:mod:`hyctas.prefix_tree`), stratified on branch count, shared
  length, depth and log-MACs. Profiling, supernet training and first populations use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults, default_settings
from hyctas.cardinality import branches_at, cardinality
from hyctas.errors import InvalidInput
from hyctas.network_macs import network_macs
from hyctas.prefix_tree import Strata, draw_tree
from hyctas.space import SearchSpace

Cost = Callable[[Architecture], float]

_POOL_FACTOR: Final = 6
"""Candidates drawn for every architecture kept; more make log-MACs more even, and sampling slower."""
_MAX_BINS: Final = 12
_MAX_ROUNDS: Final = 200


def sample_uniform(
    space: SearchSpace, rng: np.random.Generator, count: int, settings: ArchitectureDefaults | None = None
) -> tuple[Architecture, ...]:
    """Draw `count` distinct architectures, exactly uniformly.

    Args:
        space: Where to draw.
        rng: Source of randomness; the same state gives the same sample.
        count: How many.
        settings: Input size, head and the like of all of them.

    Raises:
        InvalidInput: The space holds fewer than `count`.
    """
    _check_count(space, count)
    total = cardinality(space)
    numbers: dict[int, None] = {}
    while len(numbers) < count:
        numbers[_below(rng, total)] = None
    settings = settings or default_settings(space.name)
    return tuple(settings.architecture(branches_at(space, number)) for number in numbers)


def sample_structured(
    space: SearchSpace,
    rng: np.random.Generator,
    count: int,
    settings: ArchitectureDefaults | None = None,
    *,
    cost: Cost | None = None,
) -> tuple[Architecture, ...]:
    """Draw `count` distinct architectures as prefix trees, in random order.

    Branch counts come equally often. For each, a pool is drawn that covers shared length, depth and heaviness
    evenly (a Latin hypercube), and thinned to even logarithms of the cost.

    Args:
        space: Where to draw.
        rng: Source of randomness; the same state gives the same sample.
        count: How many.
        settings: Input size, head and the like of all of them.
        cost: Positive cost whose logarithm is stratified; multiply-accumulates unless given.

    Raises:
        InvalidInput: The space holds fewer than `count`, or too few prefix trees to find `count` different ones.
    """
    _check_count(space, count)
    settings = settings or default_settings(space.name)
    branch_counts = min(space.max_branches, len(space.scales))
    turns = np.resize(rng.permutation(branch_counts) + 1, count)
    chosen: list[Architecture] = []
    for branches in range(1, branch_counts + 1):
        wanted = int((turns == branches).sum())
        pool = _pool(space, rng, settings, branches=branches, wanted=wanted)
        chosen += _thinned(pool, rng, cost or network_macs, count=wanted)
    chosen += _remaining(space, rng, settings, chosen=chosen, count=count)
    return tuple(chosen[index] for index in rng.permutation(count))


def _check_count(space: SearchSpace, count: int) -> None:
    total = cardinality(space)
    if not 0 <= count <= total:
        raise InvalidInput("count", count, f"0 to {total}, the size of the space")


def _below(rng: np.random.Generator, bound: int) -> int:
    """Draw an integer uniformly from ``range(bound)``, of any size, by rejection."""
    bits = (bound - 1).bit_length()
    size = -(-bits // 8)
    while True:
        drawn = int.from_bytes(rng.bytes(size), "little") >> (8 * size - bits)
        if drawn < bound:
            return drawn


def _pool(
    space: SearchSpace, rng: np.random.Generator, settings: ArchitectureDefaults, *, branches: int, wanted: int
) -> list[Architecture]:
    """Draw distinct candidates with strata from a Latin hypercube."""
    size = _POOL_FACTOR * wanted
    shares = (np.array([rng.permutation(size) for _ in range(3)]) + rng.random((3, size))) / max(size, 1)
    drawn = (draw_tree(space, rng, Strata(branches, *map(float, share))) for share in shares.T)
    return list(dict.fromkeys(settings.architecture(tree) for tree in drawn))


def _thinned(pool: list[Architecture], rng: np.random.Generator, cost: Cost, *, count: int) -> list[Architecture]:
    """Keep `count` of `pool` so that equal steps of log cost hold equally many, as far as there are any."""
    if count >= len(pool):
        return pool
    logs = np.array([math.log(cost(architecture)) for architecture in pool])
    bins = max(1, min(_MAX_BINS, count // 2))
    span = logs.max() - logs.min() or 1.0
    places = np.minimum((bins * (logs - logs.min()) / span).astype(int), bins - 1)
    stock = [list(rng.permutation(np.flatnonzero(places == place))) for place in range(bins)]
    kept: list[Architecture] = []
    while len(kept) < count:
        for index in rng.permutation(bins):
            if stock[index] and len(kept) < count:
                kept.append(pool[stock[index].pop()])
    return kept


def _remaining(
    space: SearchSpace,
    rng: np.random.Generator,
    settings: ArchitectureDefaults,
    *,
    chosen: list[Architecture],
    count: int,
) -> list[Architecture]:
    """Draw what a small space left open because its pools repeated themselves."""
    seen = dict.fromkeys(chosen)
    most = min(space.max_branches, len(space.scales))
    for _ in range(_MAX_ROUNDS * max(count, 1)):
        if len(seen) >= count:
            return list(seen)[len(chosen) :]
        branches = int(rng.integers(1, most, endpoint=True))
        seen[settings.architecture(draw_tree(space, rng, Strata(branches, *rng.random(3).tolist())))] = None
    raise InvalidInput("count", count, f"at most {len(seen)}, as many prefix trees as were found in this space")
