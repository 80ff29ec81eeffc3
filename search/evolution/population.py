"""Architectures that were not scored before: samples, children, and the last ones of a small space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.cardinality import every
from hyctas.errors import InvalidInput
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.evolution.archive import Archive
from search.evolution.branch_codes import Codes, architecture_of, codes_of
from search.evolution.identity import graph_identity

FRUITLESS: Final = 200
"""Proposals in a row that bring nothing new, after which a generation goes on with what it has."""
FRUITLESS_SAMPLES: Final = 10
"""The same for whole samples."""
ENUMERABLE: Final = 20_000
"""A space of at most as many architectures is listed to find those that are left."""


class Collection:
    """New architectures, no two of them the same network, and none that was scored before.

    Args:
        settings: Their settings.
        archive: What was scored before.
    """

    def __init__(self, settings: ArchitectureDefaults, archive: Archive) -> None:
        self._settings = settings
        self._archive = archive
        self._codes: set[Codes] = set()
        self._found: dict[bytes, Architecture] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """All of them, in the order in which they came."""
        return tuple(self._found.values())

    def add(self, codes: Codes) -> bool:
        """Add the architecture with these branches if it is new; tell whether it was."""
        if codes in self._codes or self._archive.has(codes):
            return False
        architecture = architecture_of(self._settings, codes)
        identity = graph_identity(architecture)
        if identity in self._found or self._archive.place(identity) is not None:
            return False
        self._codes.add(codes)
        self._found[identity] = architecture
        return True

    def add_proposed(self, propose: Callable[[], Codes], count: int) -> None:
        """Add proposals until there are `count` architectures, or nothing new comes any more."""
        fruitless = 0
        while len(self) < count and fruitless < FRUITLESS:
            fruitless = 0 if self.add(propose()) else fruitless + 1

    def add_samples(self, space: SearchSpace, rng: np.random.Generator, count: int) -> None:
        """Add structured samples until there are `count` architectures, or nothing new comes any more.

        In a space that is small enough to be listed, everything that is left is found.
        """
        most, fruitless = min(count, space.cardinality - len(self._archive)), 0
        while len(self) < most and fruitless < FRUITLESS_SAMPLES:
            drawn = _sampled(space, rng, most - len(self), self._settings)
            new = sum(self.add(codes_of(architecture)) for architecture in drawn)
            fruitless = 0 if new else fruitless + 1
        if len(self) < count and space.cardinality <= ENUMERABLE:
            self._add_remaining(space, rng, count)

    def _add_remaining(self, space: SearchSpace, rng: np.random.Generator, count: int) -> None:
        left = [tuple(branch.code for branch in branches) for branches in every(space)]
        for index in rng.permutation(len(left)):
            if len(self) >= count:
                break
            self.add(left[index])


def _sampled(
    space: SearchSpace, rng: np.random.Generator, count: int, settings: ArchitectureDefaults
) -> tuple[Architecture, ...]:
    """Structured samples; none where a small space holds too few prefix trees for that many."""
    try:
        return sample_structured(space, rng, count, settings)
    except InvalidInput:
        return ()
