"""The algorithms of the search, by name."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import InvalidInput
from hyctas.space import SearchSpace
from search.evolution.algorithm import Algorithm
from search.evolution.settings import EvolutionSettings

__all__ = ["ALGORITHMS", "AlgorithmName", "EvolutionSettings", "algorithm"]

AlgorithmName = Literal["nsga2", "random", "local", "single"]
ALGORITHMS: Final[tuple[AlgorithmName, ...]] = get_args(AlgorithmName)


def algorithm(
    name: AlgorithmName,
    space: SearchSpace,
    settings: ArchitectureDefaults,
    evolution: EvolutionSettings,
    rng: np.random.Generator,
) -> Algorithm:
    """An algorithm before its first generation.

    Args:
        name: NSGA-II, or one of the baselines that it is compared with.
        space: Where to search.
        settings: Input size, head and the like of all architectures.
        evolution: How candidates are varied and kept.
        rng: Source of all randomness, of a PCG64 kind, and the algorithm's own from now on.

    Raises:
        InvalidInput: There is no algorithm of that name.
    """
    from search.evolution.baselines import LocalSearch, RandomSearch, SingleObjective
    from search.evolution.nsga2 import Nsga2

    kinds = {kind.name: kind for kind in (Nsga2, RandomSearch, LocalSearch, SingleObjective)}
    if name not in kinds:
        raise InvalidInput("algorithm", name, f"one of {', '.join(ALGORITHMS)}")
    return kinds[name](space, settings, evolution, rng)
