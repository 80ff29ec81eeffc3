"""What a search was told to do, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.records import CandidateRecord, Document, RunStatus, SearchRunRecord


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A search without its candidates.

    Attributes:
        id: Its number.
        status: How it ended, or that it runs.
        started_at: When it began (UTC).
        finished_at: When it ended (UTC), or None.
        targets: Full names.
        limits_s: Latency limit on each target, or None.
        seed: Of all its random choices.
        algorithm: How it chose candidates, or None where the database does not say.
        evaluations: Its budget of candidates, or None likewise.
        dataset: What its networks were trained and evaluated on, or None likewise.
        supernet: Folder of the supernet's checkpoint, or None likewise.
        supernet_sha256: Of the supernet's parameters, or None where that is not known.
        supernet_found: Whether that is of the supernet found later in the folder, since the search stored none.
        model_ids: The models that predicted, by target, oldest first.
        reference_point: Objectives up to which hypervolume counts, or None before the first generation.
        space: What it chose from, as stored.
        settings: What it was told, as stored.
        summary: What came of it, as stored.
    """

    id: int
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    targets: tuple[str, ...]
    limits_s: tuple[float | None, ...]
    seed: int
    algorithm: str | None
    evaluations: int | None
    dataset: str | None
    supernet: str | None
    supernet_sha256: str | None
    supernet_found: bool
    model_ids: Mapping[str, tuple[str, ...]]
    reference_point: tuple[float, ...] | None
    space: Document
    settings: Document
    summary: Document

    @property
    def ended_by(self) -> str | None:
        """What ended a search that did not finish, as far as it could say."""
        error, message = self.summary.get("ended_by"), self.summary.get("message")
        return None if error is None else f"{error}: {message}" if message else str(error)


def run_facts(
    run: SearchRunRecord, candidates: Sequence[CandidateRecord], *, found_sha256: str | None = None
) -> RunFacts:
    """Read what the database says of a search; settings that it does not hold are None.

    Args:
        run: The search.
        candidates: What it scored.
        found_sha256: Of the parameters of the supernet that is in the folder now, for a search that stored none.
    """
    search = run.settings.get("search", {})
    stored_sha256 = supernet_sha256(run)
    return RunFacts(
        id=run.id,
        status=run.status,
        started_at=run.started_at,
        finished_at=run.finished_at,
        targets=run.targets,
        limits_s=_limits_s(search, len(run.targets)),
        seed=run.seed,
        algorithm=search.get("algorithm"),
        evaluations=search.get("evaluations"),
        dataset=run.settings.get("dataset"),
        supernet=run.settings.get("supernet"),
        supernet_sha256=stored_sha256 or found_sha256,
        supernet_found=stored_sha256 is None and found_sha256 is not None,
        model_ids={target: _model_ids(target, candidates) for target in run.targets},
        reference_point=run.reference_point,
        space=run.space,
        settings=run.settings,
        summary=run.summary,
    )


def supernet_sha256(run: SearchRunRecord) -> str | None:
    """SHA-256 over the parameters of the supernet, as the search stored it."""
    found: str | None = run.summary.get("supernet")
    return found


def _limits_s(search: Mapping[str, Any], targets: int) -> tuple[float | None, ...]:
    limits_s = search.get("limits_s") or (None,) * targets
    return tuple(limits_s)


def _model_ids(target: str, candidates: Sequence[CandidateRecord]) -> tuple[str, ...]:
    by_revision = {
        (latency.revision, latency.model_id): latency.model_id
        for record in candidates
        for latency in record.latencies
        if latency.target == target and latency.model_id is not None
    }
    return tuple(dict.fromkeys(by_revision[place] for place in sorted(by_revision)))
