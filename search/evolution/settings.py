"""How candidates are varied and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from hyctas.architecture import MAX_BRANCHES
from hyctas.errors import InvalidInput
from search.evolution.mutation import MutationMix


@dataclass(frozen=True, slots=True)
class EvolutionSettings:
    """How candidates are varied and kept.

    Attributes:
        population: Candidates kept from one generation to the next.
        first: Samples in the first generation; None for as many as the population. See :meth:`for_budget`.
        offspring: Candidates of every further generation; None for half as many as the population.
        crossover: Share of children that have two parents.
        within_niche: Share of these whose parents have equally many branches.
        tree: Share of these whose parents exchange whole branches; parents with unlike branch counts always do.
        unmutated: Share of children of two parents that are not mutated.
        further_mutation: Chance of each further change of a child after its first.
        niche_share: Share of the population that is kept by branch count, in equal parts; the rest by rank alone.
        mix: Which changes mutation makes.

    Raises:
        InvalidInput: A value is outside its range.
    """

    population: int = 24
    first: int | None = None
    offspring: int | None = None
    crossover: float = 0.8
    within_niche: float = 0.8
    tree: float = 0.3
    unmutated: float = 0.3
    further_mutation: float = 0.15
    niche_share: float = 0.4
    mix: MutationMix = field(default_factory=MutationMix)

    def __post_init__(self) -> None:
        """Refuse what cannot evolve."""
        if self.population < MAX_BRANCHES:
            raise InvalidInput("population", self.population, f"at least {MAX_BRANCHES}, one for each branch count")
        if self.first is not None and self.first < 1:
            raise InvalidInput("first", self.first, "at least 1, or None for as many as the population")
        if self.offspring is not None and self.offspring < 1:
            raise InvalidInput("offspring", self.offspring, "at least 1, or None for half of the population")
        for name in ("crossover", "within_niche", "tree", "unmutated", "niche_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(name, getattr(self, name), "a share, 0 to 1")
        if not 0 <= self.further_mutation < 1:
            raise InvalidInput("further_mutation", self.further_mutation, "0 to below 1")

    @classmethod
    def for_budget(cls, population: int, evaluations: int) -> EvolutionSettings:
        """Settings with a first generation that suits a budget: up to a third of it, and four populations at most.

        A population is too few samples to find where in the space its niches should begin.
        """
        third = max(evaluations // 3, min(population, evaluations), 1)
        return cls(population=population, first=min(4 * population, third))

    @property
    def samples(self) -> int:
        """Candidates of the first generation."""
        return self.population if self.first is None else self.first

    @property
    def per_generation(self) -> int:
        """Candidates of a generation after the first."""
        return -(-self.population // 2) if self.offspring is None else self.offspring
