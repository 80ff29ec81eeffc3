"""Mutation: one or a few random changes of an architecture, which never leave the space."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate
from typing import Final

import numpy as np

from hyctas.architecture import Architecture
from hyctas.errors import InvalidInput
from hyctas.space import SearchSpace
from search.evolution.branch_changes import BRANCH_CHANGES
from search.evolution.branch_codes import Codes, architecture_of, codes_of
from search.evolution.cell_edits import CELL_EDITS, draw_site

ATTEMPTS: Final = 32
"""Changes drawn by weight, and then in turn, before an architecture counts as one that cannot be changed."""


@dataclass(frozen=True, slots=True)
class MutationMix:
    """How often each change is made, relative to the others, and how.

    Attributes:
        operator: Another operator in a cell.
        width: Another width of a cell.
        operators: The same operator in a stretch of cells.
        exchange: One operator in place of another in all cells.
        widths: The same width in a stretch of cells.
        move_down: A branch goes down elsewhere.
        insert: One cell more.
        remove: One cell less.
        copy_prefix: A branch begins like another one.
        last_scale: A branch ends at another scale.
        add_branch: One branch more, which leaves another one.
        drop_branch: One branch less.
        apart: Chance that a shared cell is changed in one branch alone, which ends the trunk there.

    Raises:
        InvalidInput: A weight is negative, all are zero, or `apart` is no probability.
    """

    operator: float = 4.0
    width: float = 3.0
    operators: float = 2.0
    exchange: float = 2.0
    widths: float = 4.0
    move_down: float = 1.0
    insert: float = 1.0
    remove: float = 1.0
    copy_prefix: float = 1.0
    last_scale: float = 0.25
    add_branch: float = 0.5
    drop_branch: float = 0.5
    apart: float = 0.15

    def __post_init__(self) -> None:
        """Refuse a mix that nothing can be drawn from."""
        for name, weight in self.weights.items():
            if not weight >= 0:
                raise InvalidInput(name, weight, "a weight of at least 0")
        if not any(self.weights.values()):
            raise InvalidInput("mix", self, "at least one weight above 0")
        if not 0 <= self.apart <= 1:
            raise InvalidInput("apart", self.apart, "a probability, 0 to 1")

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each change, by its name in :data:`CELL_EDITS` or :data:`BRANCH_CHANGES`."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "apart"}


DEFAULT_MIX: Final = MutationMix()


def mutated(
    space: SearchSpace, architecture: Architecture, rng: np.random.Generator, *, mix: MutationMix = DEFAULT_MIX
) -> Architecture:
    """Change an architecture of the space once.

    Args:
        space: Where it belongs, and what comes out too.
        architecture: What to change.
        rng: Source of randomness.
        mix: Which changes.

    Returns:
        A different architecture of the space; the same one if no change was found.
    """
    return architecture_of(architecture.settings, mutated_codes(space, codes_of(architecture), rng, mix))


def mutated_codes(space: SearchSpace, codes: Codes, rng: np.random.Generator, mix: MutationMix) -> Codes:
    """What :func:`mutated` does, on the codes of branches."""
    names, bounds = _thresholds(mix)
    for attempt in range(2 * ATTEMPTS):
        by_weight = attempt < ATTEMPTS
        name = names[bisect(bounds, rng.random() * bounds[-1]) if by_weight else attempt % len(names)]
        if (edit := CELL_EDITS.get(name)) is not None:
            changed = edit(space, codes, draw_site(codes, rng, apart=mix.apart), rng)
        else:
            changed = BRANCH_CHANGES[name](space, codes, rng)
        if changed is not None and changed != codes:
            return changed
    return codes


def several_mutations(
    space: SearchSpace, codes: Codes, rng: np.random.Generator, mix: MutationMix, *, further: float
) -> Codes:
    """Mutate once, and once more as often as a chance of `further` comes true."""
    codes = mutated_codes(space, codes, rng, mix)
    while rng.random() < further:
        codes = mutated_codes(space, codes, rng, mix)
    return codes


@lru_cache(maxsize=64)
def _thresholds(mix: MutationMix) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The changes that have a weight, and the cumulated weights."""
    names, weights = zip(*[(name, weight) for name, weight in mix.weights.items() if weight > 0], strict=True)
    return names, tuple(accumulate(weights))
