"""Children of a population."""

from __future__ import annotations

import numpy as np

from hyctas.space import SearchSpace
from search.evolution.branch_codes import Codes, codes_of
from search.evolution.crossover import one_point_crossover, tree_crossover
from search.evolution.mutation import mutated_codes
from search.evolution.niches import Parents
from search.evolution.settings import EvolutionSettings


def child_of(parents: Parents, space: SearchSpace, settings: EvolutionSettings, rng: np.random.Generator) -> Codes:
    """Draw one or two parents, and a child of theirs that belongs to the space; it may be one of them again."""
    parent, niche = parents.draw()
    codes = codes_of(parent)
    if rng.random() >= settings.crossover:
        return several_mutations(space, codes, rng, settings)
    child = _crossed(parents, codes, niche, space, settings, rng)
    if child != codes and rng.random() < settings.unmutated:
        return child
    return several_mutations(space, child, rng, settings)


def several_mutations(space: SearchSpace, codes: Codes, rng: np.random.Generator, settings: EvolutionSettings) -> Codes:
    """Mutate once, and again as long as chance says so."""
    codes = mutated_codes(space, codes, rng, settings.mix)
    while rng.random() < settings.further_mutation:
        codes = mutated_codes(space, codes, rng, settings.mix)
    return codes


def _crossed(
    parents: Parents,
    codes: Codes,
    niche: int,
    space: SearchSpace,
    settings: EvolutionSettings,
    rng: np.random.Generator,
) -> Codes:
    if rng.random() < settings.within_niche:
        second, tree = parents.draw_from(niche), rng.random() < settings.tree
    else:
        second, tree = parents.draw_from(parents.other_niche(niche)), True
    cross = tree_crossover if tree else one_point_crossover
    return cross(space, codes, codes_of(second), rng)
