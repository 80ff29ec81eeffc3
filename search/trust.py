"""Which predictions are not to be trusted: confidence routing.

A prediction is worth a measurement where it does not come from the range that the predictor learned, or where its
interval is wide enough to change the front (HiFi-LLP, 2025, routes unsure predictions to the device). Chosen so, these
networks are no random sample: they are learned from, but never calibrate an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from search.candidate import Candidate
from search.evolution.front import pareto_front

TRUSTED: Final = ("measured", "learned")
Array = npt.NDArray[np.float64]


def doubtful(candidates: Sequence[Candidate], target: int) -> list[Candidate]:
    """Candidates near the front whose latency on a target should be measured, those that matter most first.

    A network of the front is in doubt where at the slow end of its interval another would dominate it, one beside it
    where at the fast end none would; so is each of them that is not of a trusted tier.

    Args:
        candidates: Everything that was evaluated.
        target: Position of the target.
    """
    known = [candidate for candidate in candidates if candidate.miou is not None]
    if not known:
        return []
    error = np.array([1.0 - candidate.miou for candidate in known if candidate.miou is not None])
    intervals = np.array([_interval(candidate, target) for candidate in known])
    low_s, latency_s, high_s = intervals.T
    front = np.zeros(len(known), dtype=bool)
    front[pareto_front(np.column_stack([error, np.log(latency_s)]))] = True
    could_leave = front & ~_undominated(error, high_s, error, latency_s)
    could_enter = ~front & _undominated(error, low_s, error[front], latency_s[front])
    untrusted = np.array([candidate.predictions[target].tier not in TRUSTED for candidate in known])
    measured = np.array([candidate.predictions[target].tier == "measured" for candidate in known])
    wanted = (could_leave | could_enter | (untrusted & front)) & ~measured
    width = np.log(high_s / low_s)
    order = sorted(np.flatnonzero(wanted), key=lambda index: (not front[index], -width[index], index))
    return [known[index] for index in order]


def random_sample(front: Sequence[Candidate], count: int, rng: np.random.Generator) -> list[Candidate]:
    """At most `count` networks of a front, drawn without looking at them."""
    return [front[index] for index in rng.permutation(len(front))[:count]]


def _interval(candidate: Candidate, target: int) -> tuple[float, float, float]:
    predicted = candidate.predictions[target]
    return predicted.low_s, predicted.latency_s, predicted.high_s


def _undominated(error: Array, latency_s: Array, others_error: Array, others_latency_s: Array) -> npt.NDArray[np.bool_]:
    """Whether no other is at least as good as each in both, and better in one."""
    no_worse = (others_error[None, :] <= error[:, None]) & (others_latency_s[None, :] <= latency_s[:, None])
    better = (others_error[None, :] < error[:, None]) | (others_latency_s[None, :] < latency_s[:, None])
    dominated = no_worse & better
    if others_error is error:
        np.fill_diagonal(dominated, False)
    return np.asarray(~dominated.any(axis=1))
