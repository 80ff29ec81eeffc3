"""Branches as byte strings, as evolution changes them: fields of a cell, shared trunks, tails that go down.

A cell's code has its operator in the upper four bits, its width's position + 1 in the next three (0 in the last cell
of a branch), and whether it goes down in the lowest (:mod:`hyctas.cell`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.cell import OPERATORS, WIDTHS, Branch
from hyctas.space import SearchSpace

Codes = tuple[bytes, ...]
"""One byte string a branch, by ascending last scale."""

DOWN: Final = 0b1
WIDTH: Final = 0b1110
OPERATOR: Final = 0b1111_0000
_LEVEL: Final = bytes(code for code in range(256) if not code & DOWN)


def codes_of(architecture: Architecture) -> Codes:
    """The codes of an architecture's branches."""
    return tuple([branch.code for branch in architecture.branches])


def architecture_of(settings: ArchitectureDefaults, codes: Codes) -> Architecture:
    """The architecture with these settings and branches.

    Raises:
        InvalidArchitecture: `codes` are no branches that go together.
    """
    return settings.architecture(tuple(map(Branch.from_code, codes)))


def in_order(codes: Iterable[bytes]) -> Codes:
    """Branches by ascending last scale."""
    return tuple(sorted(codes, key=downs))


def downs(code: bytes) -> int:
    """How often a stretch of cells goes down; of a whole branch, its last scale."""
    return len(code.translate(None, _LEVEL))


def below(rng: np.random.Generator, bound: int) -> int:
    """A random integer from ``range(bound)``, at a third of the time that ``rng.integers`` takes."""
    return int(rng.random() * bound)


def random_operator(space: SearchSpace, rng: np.random.Generator) -> int:
    """The operator's bits of a random cell."""
    return OPERATORS.index(space.operators[below(rng, len(space.operators))]) << 4


def random_width(space: SearchSpace, rng: np.random.Generator) -> int:
    """The width's bits of a random inner cell."""
    return WIDTHS.index(space.widths[below(rng, len(space.widths))]) + 1 << 1


def random_cell(space: SearchSpace, rng: np.random.Generator) -> int:
    """A random inner cell that does not go down."""
    return random_operator(space, rng) | random_width(space, rng)


def sharing(codes: Codes, branch: int, cell: int) -> tuple[int, ...]:
    """Branches that run through a branch's `cell`-th cell: those that begin like it up to there.

    The last cell of a branch is shared with none.
    """
    own, end = codes[branch], cell + 1
    if end == len(own):
        return (branch,)
    prefix = own[:end]
    return tuple([index for index, code in enumerate(codes) if len(code) > end and code.startswith(prefix)])


def shared_by_all(codes: Sequence[bytes]) -> int:
    """Leading cells that all branches share; of one branch, all but its last."""
    limit = min(map(len, codes)) - 1
    for cell in range(limit):
        if len({code[cell] for code in codes}) > 1:
            return cell
    return limit


def with_downs(tail: bytes, missing: int, rng: np.random.Generator) -> bytes | None:
    """A tail that goes down `missing` times, changed in as few cells as that takes; None if it is too short for that.

    Args:
        tail: Last cells of a branch, its very last included.
        missing: How often it has to go down.
        rng: Chooses among cells that could change.
    """
    inner = range(len(tail) - 1)
    surplus = downs(tail) - missing
    if not surplus:
        return tail
    if not 0 <= missing <= len(inner):
        return None
    changeable = [cell for cell in inner if tail[cell] & DOWN == (surplus > 0)]
    changed = bytearray(tail)
    for index in rng.permutation(len(changeable))[: abs(surplus)]:
        changed[changeable[index]] ^= DOWN
    return bytes(changed)
