"""Canaries: a few workloads of every sort that are measured each night, so that their history can be judged.

Operators first, kind by kind: the commonest kinds give the one of median work each, then those a quarter up and down,
until there are enough. Networks are a sample of prefix trees. Equal settings and seeds give equal canaries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from hyctas.architecture import ArchitectureDefaults
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from profiler.plan import PlannedWorkload, distinct, plan_operators, planned_network

QUANTILES: Final = (0.5, 0.75, 0.25, 0.95)
"""Of the work (multiply-accumulates, then bytes) of a kind's operators: where its canaries come from, in this order."""


def choose_canaries(
    settings: ArchitectureDefaults, *, operators: int, networks: int, depth: int = 16, seed: int = 0
) -> tuple[PlannedWorkload, ...]:
    """Operators and networks to measure each night, equal work once.

    Args:
        settings: Sizes and space.
        operators: At most so many operators.
        networks: So many sampled networks.
        depth: Most cells of a branch.
        seed: Of the sample of networks.
    """
    space = SearchSpace(name=settings.space, depth=depth)
    chosen = islice(_spread(plan_operators(space, settings)), operators) if operators else iter(())
    drawn = sample_structured(space, np.random.default_rng(seed), networks, settings) if networks else ()
    return distinct([*chosen, *map(planned_network, drawn)])


def canary_name(planned: PlannedWorkload) -> str:
    """How reports call it: the operator with its sizes, or the network by its key."""
    return planned.source.label if isinstance(planned.source, Part) else f"network {planned.source.key[:8]}"


def _spread(plan: Sequence[PlannedWorkload]) -> Iterator[PlannedWorkload]:
    """One operator after the other, of all kinds and sizes in turn, none twice."""
    kinds: dict[str, list[PlannedWorkload]] = defaultdict(list)
    for planned in plan:
        assert isinstance(planned.source, Part)
        kinds[planned.source.kind].append(planned)
    by_work = [sorted(of_kind, key=_work) for of_kind in sorted(kinds.values(), key=len, reverse=True)]
    places = ((of_kind, int(quantile * len(of_kind))) for quantile in QUANTILES for of_kind in by_work)
    seen: set[str] = set()
    for of_kind, place in places:
        if of_kind[place].key not in seen:
            seen.add(of_kind[place].key)
            yield of_kind[place]


def _work(planned: PlannedWorkload) -> tuple[int, int, str]:
    return planned.costs.macs, planned.costs.bytes_moved, planned.key
