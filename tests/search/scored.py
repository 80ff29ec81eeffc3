"""Candidates with latencies that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyctas.prediction import Prediction, Tier
from hyctas.sampling import sample_structured
from search.candidate import Candidate
from tests.search.world import NETWORKS, SPACE

ARCHITECTURES = sample_structured(SPACE, np.random.default_rng(31), 40, NETWORKS)
"""Different networks; tests that are about numbers take them in order."""


def prediction(
    latency_s: float, low_s: float | None = None, high_s: float | None = None, *, tier: Tier = "learned"
) -> Prediction:
    """A prediction; its interval is the latency alone unless given."""
    return Prediction(
        latency_s=latency_s,
        low_s=latency_s if low_s is None else low_s,
        high_s=latency_s if high_s is None else high_s,
        coverage=0.9,
        tier=tier,
        breakdown=(),
        unsupported=(),
        model_id=None if tier == "measured" else "0123456789abcdef",
        expected_error=None,
    )


def candidate(number: int, miou: float | None, *predictions: Prediction, failure: str | None = None) -> Candidate:
    """The candidate with that number."""
    return Candidate(ARCHITECTURES[number], predictions, miou, failure)


def numbers(candidates: Sequence[Candidate]) -> list[int]:
    """Which candidates these are."""
    places = {architecture.key: number for number, architecture in enumerate(ARCHITECTURES)}
    return [places[found.architecture.key] for found in candidates]
