"""What came of a search, and how it is stored and printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search.candidate import Candidate
from search.drift import Drift
from search.fronts import Fronts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a search.

    Attributes:
        search_run_id: Its number in the database.
        evaluated: Candidates that were scored.
        fronts: The networks that nothing beats, with their final mIoU.
        hypervolume: Of everything that was scored.
        drift: Predicted against measured front, by target; empty where nothing was measured.
        spent_s: Seconds by activity.
        supernet: SHA-256 of the supernet's parameters.
    """

    search_run_id: int
    evaluated: int
    fronts: Fronts
    hypervolume: float
    drift: Mapping[str, Drift]
    spent_s: Mapping[str, float]
    supernet: str | None


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What came of a search as a JSON object."""
    return {
        "search_run": outcome.search_run_id,
        "evaluated": outcome.evaluated,
        "hypervolume": outcome.hypervolume,
        "front": [candidate_json(candidate) for candidate in outcome.fronts.overall],
        "fronts": {
            str(count): [candidate_json(candidate) for candidate in front]
            for count, front in outcome.fronts.by_branches.items()
        },
        "drift": {target: asdict(drift) for target, drift in outcome.drift.items()},
        "spent_s": dict(outcome.spent_s),
        "supernet": outcome.supernet,
    }


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """A network of a front as a JSON object."""
    return {
        "key": candidate.architecture.key,
        "branches": len(candidate.architecture.branches),
        "miou": candidate.miou,
        "latency_ms": [1e3 * latency_s for latency_s in candidate.latency_s],
        "tier": [prediction.tier for prediction in candidate.predictions],
    }
