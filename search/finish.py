"""The end of a search: its front evaluated with care, measured, and compared with what was predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hyctas.architecture import Architecture
from search.candidate import Candidate
from search.drift import Comparison, Drift, drift
from search.evaluation.quality import Failure, Fidelity
from search.evaluation.workers import QualityPool
from search.evolution.front import pareto_front
from search.run import minimised
from search.settings import SearchSettings

Measure = Callable[[str, Sequence[Architecture]], Mapping[str, float]]
"""Measures networks on a target (its full name); seconds by architecture key, without those that gave no latency."""


@dataclass(frozen=True, slots=True)
class Fronts:
    """Pareto fronts of what a search evaluated; each in ascending latency on the first target.

    Attributes:
        overall: The front of all.
        by_branches: The front of networks of each branch count.
    """

    overall: tuple[Candidate, ...]
    by_branches: Mapping[int, tuple[Candidate, ...]]

    @property
    def members(self) -> tuple[Candidate, ...]:
        """Each network of any front, once."""
        found = {c.architecture.key: c for c in self.overall}
        found |= {c.architecture.key: c for front in self.by_branches.values() for c in front}
        return tuple(sorted(found.values(), key=lambda c: c.latency_s))


def fronts_of(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> Fronts:
    """The fronts among candidates that were evaluated and keep to the limits."""
    eligible = [c for c in candidates if c.miou is not None and c.within(limits_s)]
    counts = sorted({len(c.architecture.branches) for c in eligible})
    return Fronts(
        overall=_front(eligible, limits_s),
        by_branches={
            count: _front([c for c in eligible if len(c.architecture.branches) == count], limits_s) for count in counts
        },
    )


def with_final_quality(
    fronts: Fronts, pool: QualityPool, settings: SearchSettings, finished: Callable[[], None]
) -> dict[str, float]:
    """MIoU of the networks of the fronts with more recalibration and all validation images, by architecture key."""
    networks = [candidate.architecture for candidate in fronts.members]
    qualities = pool.evaluate(networks, Fidelity(settings.final_batches, None), finished)
    pairs = zip(networks, qualities, strict=True)
    return {network.key: quality.miou for network, quality in pairs if not isinstance(quality, Failure)}


def measured_drift(
    front: Sequence[Candidate],
    measured_s: Mapping[str, float],
    *,
    target: int,
    reference: Sequence[float] | None,
) -> Drift | None:
    """Predicted against measured latency of a front on one target; None if nothing was measured.

    Args:
        front: Its networks, with the predictions that the search went by.
        measured_s: Measured latency by architecture key.
        target: Position of the target.
        reference: The search's reference point.
    """
    known = [c for c in front if c.architecture.key in measured_s and c.miou is not None]
    predicted = [c.predictions[target] for c in known]
    compared = Comparison(
        miou=np.array([c.miou for c in known], dtype=np.float64),
        predicted_s=np.array([p.latency_s for p in predicted]),
        low_s=np.array([p.low_s for p in predicted]),
        high_s=np.array([p.high_s for p in predicted]),
        measured_s=np.array([measured_s[c.architecture.key] for c in known]),
        nominal_coverage=predicted[0].coverage if predicted else 0.0,
    )
    return drift(compared, None if reference is None else (reference[0], reference[1 + target]))


def replaced_quality(candidates: Sequence[Candidate], miou: Mapping[str, float]) -> list[Candidate]:
    """Candidates with their mIoU replaced where a better one is known."""
    return [dataclasses.replace(c, miou=miou.get(c.architecture.key, c.miou)) for c in candidates]


def _front(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> tuple[Candidate, ...]:
    if not candidates:
        return ()
    chosen = [candidates[index] for index in pareto_front(minimised(candidates, limits_s))]
    return tuple(sorted(chosen, key=lambda c: c.latency_s))
