"""Sets of branches drawn as a prefix tree: a trunk, split points, tails.

Drawn independently, two branches hardly ever share even their first cell, while the good published networks
have long common trunks. Here the first branch is drawn freely, and every further one leaves an earlier branch
after a drawn number of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hyctas.cell import OPERATORS, WIDTHS, Branch, Operator

if TYPE_CHECKING:
    from hyctas.space import SearchSpace

_HEAVINESS: Final[dict[Operator, float]] = {
    "skip": -1.0,
    "conv_downup": -0.4,
    "sa": -0.4,
    "conv_2x_downup": 0.0,
    "conv": 0.4,
    "conv_2x": 1.0,
}
"""Where the operators stand between fewest and most multiply-accumulates; only the order matters."""
_STEEPEST_TILT: Final = 4.0
_SPLIT_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Strata:
    """Where a network is to lie in the space; all but the first are shares in [0, 1).

    Attributes:
        branches: How many branches it has.
        shared: First split point, between no shared cell and as many as the branches allow.
        depth: Length of its longest branch, between the fewest cells and the space's depth.
        heaviness: 0 prefers cheap operators and narrow cells, 1 expensive and wide ones.
    """

    branches: int
    shared: float
    depth: float
    heaviness: float


def draw_tree(space: SearchSpace, rng: np.random.Generator, strata: Strata) -> tuple[Branch, ...]:
    """Draw the branches of one network; every architecture of `space` can come out for some strata.

    Args:
        space: Where the branches belong.
        rng: Source of randomness.
        strata: Where to draw.
    """
    scales = [int(scale) for scale in rng.permutation(space.scales)[: strata.branches]]
    lengths = _lengths(space, rng, scales=scales, depth=strata.depth)
    mix = _Mix.draw(space, rng, strata.heaviness)
    codes: list[bytes] = []
    for scale, length in zip(scales, lengths, strict=True):
        if not codes:
            codes.append(mix.grow(rng, b"", length=length, scale=scale))
            continue
        parent = codes[rng.integers(len(codes))]
        share = strata.shared if len(codes) == 1 else rng.random()
        codes.append(_leave(parent, rng, mix, share=share, length=length, scale=scale))
    return tuple(map(Branch.from_code, codes))


def split_points(parent: bytes, *, length: int, scale: int) -> list[int]:
    """List the numbers of cells that a branch of `length` cells ending at `scale` can share with `parent`.

    The last cells of both are never shared, and after the split enough cells must be left to go down on.
    """
    points, downs = [], 0
    for shared in range(min(len(parent), length)):
        if downs > scale:
            break
        if scale - downs <= length - 1 - shared:
            points.append(shared)
        downs += parent[shared] & 1
    return points


def _leave(parent: bytes, rng: np.random.Generator, mix: _Mix, *, share: float, length: int, scale: int) -> bytes:
    """Draw a branch that leaves `parent` at a split point, with another cell there where one is possible."""
    points = split_points(parent, length=length, scale=scale)
    shared = points[int(share * len(points))]
    for _ in range(_SPLIT_ATTEMPTS):
        code = mix.grow(rng, parent[:shared], length=length, scale=scale)
        if code[shared] != parent[shared]:
            break
    return code


def _lengths(space: SearchSpace, rng: np.random.Generator, *, scales: list[int], depth: float) -> list[int]:
    """Draw the cells of every branch; one branch has the length that `depth` says, the others at most that."""
    fewest = [space.fewest_cells(scale) for scale in scales]
    longest = max(fewest) + int(depth * (space.depth - max(fewest) + 1))
    lengths = [int(rng.integers(least, longest, endpoint=True)) for least in fewest]
    lengths[rng.integers(len(lengths))] = longest
    return lengths


@dataclass(frozen=True, slots=True)
class _Mix:
    """Probabilities of one network's operators and widths, as fields of cell codes.

    Attributes:
        operators: Operator fields.
        operator_odds: Their probabilities.
        widths: Width fields.
        width_odds: Their probabilities.
    """

    operators: np.ndarray
    operator_odds: np.ndarray
    widths: np.ndarray
    width_odds: np.ndarray

    @classmethod
    def draw(cls, space: SearchSpace, rng: np.random.Generator, heaviness: float) -> _Mix:
        """Draw a composition, uniform over the simplex, and tilt it towards cheap or expensive."""
        tilt = _STEEPEST_TILT * (2 * heaviness - 1)
        heavy = np.array([_HEAVINESS[op] for op in space.operators])
        wide = np.interp(space.widths, (WIDTHS[0], WIDTHS[-1]), (-1.0, 1.0))
        return cls(
            np.array([OPERATORS.index(op) << 4 for op in space.operators]),
            _normalised(rng.dirichlet(np.ones(len(heavy))) * np.exp(tilt * heavy)),
            np.array([WIDTHS.index(width) + 1 << 1 for width in space.widths]),
            _normalised(rng.dirichlet(np.ones(len(wide))) * np.exp(tilt * wide)),
        )

    def grow(self, rng: np.random.Generator, prefix: bytes, *, length: int, scale: int) -> bytes:
        """Continue `prefix` to the code of a branch of `length` cells that ends at `scale`."""
        start, inner = len(prefix), length - 1
        downs = np.zeros(inner - start, dtype=np.int64)
        missing = scale - sum(code & 1 for code in prefix)
        downs[rng.choice(len(downs), missing, replace=False)] = 1
        ops = rng.choice(self.operators, length - start, p=self.operator_odds)
        widths = rng.choice(self.widths, inner - start, p=self.width_odds)
        return prefix + bytes((ops[:-1] | widths | downs).tolist()) + bytes([int(ops[-1])])


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Scale to a sum of 1, keeping every choice possible."""
    floored = weights + 1e-3 * weights.sum()
    return np.asarray(floored / floored.sum())
