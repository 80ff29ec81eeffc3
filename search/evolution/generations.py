"""What all algorithms have in common: an archive, what is asked, a first population of samples, the state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Final

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.errors import CheckpointMismatch, SearchError
from hyctas.space import SearchSpace
from search.evolution.algorithm import Population
from search.evolution.archive import Archive
from search.evolution.branch_codes import architecture_of, codes_of
from search.evolution.population import Collection
from search.evolution.scored import Score
from search.evolution.settings import EvolutionSettings
from search.evolution.strict_json import random_state, restore_random_state

VERSION: Final = 1


class Generations(ABC):
    """Asks and is told, generation by generation; see :class:`search.evolution.algorithm.Algorithm`.

    Args:
        space: Where the architectures belong.
        settings: Their settings.
        evolution: How candidates are varied and kept.
        rng: Source of all randomness.
    """

    name: ClassVar[str]

    def __init__(
        self,
        space: SearchSpace,
        settings: ArchitectureDefaults,
        evolution: EvolutionSettings,
        rng: np.random.Generator,
    ) -> None:
        self._space = space
        self._settings = settings
        self._evolution = evolution
        self._rng = rng
        self._archive = Archive(settings)
        self._asked: tuple[Architecture, ...] = ()
        self._generation = 0
        self._exhausted = False

    @property
    def generation(self) -> int:
        """Generations that were told."""
        return self._generation

    @property
    def exhausted(self) -> bool:
        """Whether no architecture is left, or none can be found."""
        return self._exhausted or (not self._asked and len(self._archive) >= self._space.cardinality)

    @property
    def population(self) -> Population:
        """What the next generation comes from."""
        return tuple(self._archive[index] for index in self._members())

    def ask(self, most: int | None = None) -> tuple[Architecture, ...]:
        """The candidates of the next generation, the same ones until they are told."""
        if not self._asked and not self.exhausted:
            found = Collection(self._settings, self._archive)
            size = self._size if most is None else min(self._size, most)
            if self._generation:
                self._vary(found, size)
            if not len(found):
                found.add_samples(self._space, self._rng, size)
            self._asked = found.architectures
            self._exhausted = not self._asked
        return self._asked

    def tell(self, architectures: Sequence[Architecture], scores: Sequence[Score]) -> None:
        """Take the scores of what was asked, in any order."""
        told = dict(zip(architectures, scores, strict=True))
        if told.keys() != set(self._asked):
            raise SearchError(f"told {len(told)} architectures that are not the {len(self._asked)} that were asked")
        if not told:
            return
        _check_alike([*self._archive.scores[:1], *scores])
        first = len(self._archive)
        for architecture in self._asked:
            self._archive.add(architecture, told[architecture])
        self._asked = ()
        self._generation += 1
        self._advance(range(first, len(self._archive)))

    def rescore(self, scores: Mapping[str, Score]) -> None:
        """Replace scores, by architecture key, and choose the population anew from everything that was told."""
        self._archive.rescore(scores)
        self._choose_again()

    def state(self) -> dict[str, Any]:
        """Everything that the next generation depends on, as strict JSON."""
        return {
            **self._identity(),
            "generation": self._generation,
            "exhausted": self._exhausted,
            "asked": [[code.hex() for code in codes_of(architecture)] for architecture in self._asked],
            "archive": self._archive.state(),
            "random": random_state(self._rng),
            "own": self._own_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken, bit for bit."""
        for field, value in self._identity().items():
            if state.get(field) != value:
                raise CheckpointMismatch(f"a state with {field} {state.get(field)!r}; this search has {value!r}")
        try:
            self._archive = Archive.from_state(self._settings, state["archive"])
            asked = [tuple(map(bytes.fromhex, codes)) for codes in state["asked"]]
            self._asked = tuple(architecture_of(self._settings, codes) for codes in asked)
            self._generation, self._exhausted = int(state["generation"]), bool(state["exhausted"])
            restore_random_state(self._rng, state["random"])
            self._restore_own(state["own"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointMismatch(f"not the state of a search by {self.name}: {error!r}") from error

    @property
    def _size(self) -> int:
        """How many to ask for in this generation, unless fewer may be scored."""
        return self._evolution.per_generation if self._generation else self._evolution.samples

    def _identity(self) -> dict[str, Any]:
        """What a state must have in common with the algorithm that it restores."""
        space = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self._space).items()
        }
        return {
            "version": VERSION,
            "algorithm": self.name,
            "space": space,
            "settings": asdict(self._settings),
            "evolution": asdict(self._evolution),
        }

    @abstractmethod
    def _vary(self, found: Collection, count: int) -> None:
        """Add up to `count` new architectures that come out of what was told."""

    @abstractmethod
    def _advance(self, told: range) -> None:
        """Take a generation in; `told` are its positions in the archive."""

    @abstractmethod
    def _choose_again(self) -> None:
        """Choose the population from the whole archive, after its scores changed."""

    @abstractmethod
    def _members(self) -> Sequence[int]:
        """The population, as positions in the archive."""

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """What this algorithm keeps beside the archive, as strict JSON."""

    @abstractmethod
    def _restore_own(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`_own_state` wrote; the archive is restored by then."""


def _check_alike(scores: Sequence[Score]) -> None:
    forms = {(len(score.minimised), len(score.violations)) for score in scores}
    if len(forms) > 1:
        raise SearchError(
            f"scores with (objectives, violations) {sorted(forms)}; all of a search must have equally many"
        )
