r"""How many architectures a space holds, and which one has a given number.

With K operators and W widths, a branch of n cells that ends at scale s puts its s downs on s of its first
n - 1 cells, has n operators, and n - 1 widths (the head width rules the last cell), so there are

.. math:: B_s = \sum_{n = n_{min}}^{L} \binom{n - 1}{s} K^n W^{n - 1}

branches at scale s. An architecture is a set of branches with different last scales: a nonempty set S of at most
`max_branches` scales, and one branch for each,

.. math:: |A| = \sum_S \prod_{s \in S} B_s .

Branches that share a prefix are still counted for what they are, so no architecture counts twice. The same sums,
read as a mixed-radix number, number the architectures: :func:`branches_at` is a bijection from
``range(cardinality(space))``, which makes exact uniform sampling one integer draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, islice
from math import comb, prod
from typing import TYPE_CHECKING, TypeVar

from hyctas.cell import Branch, Cell

if TYPE_CHECKING:
    from hyctas.space import SearchSpace

Item = TypeVar("Item")


def cardinality(space: SearchSpace) -> int:
    """Count the architectures of `space`, settings apart."""
    return sum(weight for _, weight in _scale_sets(space))


def branch_cardinality(space: SearchSpace, scale: int) -> int:
    """Count the branches of `space` that end at `scale`."""
    return sum(weight for _, weight in _lengths(space, scale))


def branches_at(space: SearchSpace, index: int) -> tuple[Branch, ...]:
    """Return the branches of the architecture with number `index`.

    Raises:
        IndexError: `index` is not in ``range(cardinality(space))``.
    """
    if index < 0:
        raise IndexError(f"architecture {index}; the first is 0")
    scales, rest = _located(_scale_sets(space), index)
    branches = []
    for scale in scales:
        rest, digit = divmod(rest, branch_cardinality(space, scale))
        branches.append(_branch_at(space, scale, digit))
    return tuple(branches)


def every(space: SearchSpace) -> Iterator[tuple[Branch, ...]]:
    """Iterate over all architectures of a small space, in order of their numbers."""
    return (branches_at(space, index) for index in range(cardinality(space)))


@lru_cache(maxsize=64)
def _scale_sets(space: SearchSpace) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Every set of last scales, with the number of architectures that have it."""
    return tuple(
        (scales, prod(branch_cardinality(space, scale) for scale in scales))
        for count in range(1, space.max_branches + 1)
        for scales in combinations(space.scales, count)
    )


@lru_cache(maxsize=256)
def _lengths(space: SearchSpace, scale: int) -> tuple[tuple[int, int], ...]:
    """Every length of a branch that ends at `scale`, with the number of branches that have it."""
    operators, widths = len(space.operators), len(space.widths)
    return tuple(
        (count, comb(count - 1, scale) * operators**count * widths ** (count - 1))
        for count in range(space.min_cells, space.depth + 1)
    )


def _branch_at(space: SearchSpace, scale: int, index: int) -> Branch:
    count, rest = _located(_lengths(space, scale), index)
    rest, placement = divmod(rest, comb(count - 1, scale))
    downs = next(islice(combinations(range(count - 1), scale), placement, None))
    operators = space.operators
    cells = []
    for position in range(count - 1):
        rest, op = divmod(rest, len(operators))
        rest, width = divmod(rest, len(space.widths))
        cells.append(Cell(operators[op], space.widths[width], position in downs))
    return Branch((*cells, Cell(operators[rest], None, False)))


def _located(weighted: tuple[tuple[Item, int], ...], index: int) -> tuple[Item, int]:
    """Find the item whose block holds `index` when every item stands for a block of its weight, and the rest."""
    for item, weight in weighted:
        if index < weight:
            return item, index
        index -= weight
    raise IndexError(f"{index} past the end")
