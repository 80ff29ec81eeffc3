"""Children of a population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hyctas.space import SearchSpace
from search.evolution.branch_codes import Codes, codes_of
from search.evolution.crossover import one_point_crossover, tree_crossover
from search.evolution.mutation import several_mutations
from search.evolution.settings import EvolutionSettings

if TYPE_CHECKING:
    from search.evolution.niches import Parents


def child_of(parents: Parents, space: SearchSpace, settings: EvolutionSettings, rng: np.random.Generator) -> Codes:
    """Draw one or two parents, and a child of theirs that belongs to the space; it may be one of them again."""
    parent, niche = parents.draw()
    codes = codes_of(parent)
    if rng.random() >= settings.crossover:
        return several_mutations(space, codes, rng, settings.mix, further=settings.further_mutation)
    child = _crossed(parents, codes, niche, space, settings, rng)
    if child != codes and rng.random() < settings.unmutated:
        return child
    return several_mutations(space, child, rng, settings.mix, further=settings.further_mutation)


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
