"""How candidates of a search are kept in the database."""

from __future__ import annotations

from collections.abc import Iterable

from db.records import CandidateLatency, CandidateRecord
from hyctas.architecture_json import read_architecture, to_json
from hyctas.prediction import Prediction
from search.candidate import Candidate


def candidate_record(
    run_id: int, generation: int, candidate: Candidate, targets: Iterable[str], *, revision: int
) -> CandidateRecord:
    """What the database keeps of a candidate that a generation scored, after so many refits of the predictor."""
    latencies = zip(targets, candidate.predictions, strict=True)
    return CandidateRecord(
        search_run_id=run_id,
        generation=generation,
        architecture_key=candidate.architecture.key,
        document=to_json(candidate.architecture),
        miou=candidate.miou,
        final_miou=None,
        failure=candidate.failure,
        latencies=tuple(candidate_latency(target, predicted, revision=revision) for target, predicted in latencies),
    )


def candidate_latency(target: str, predicted: Prediction, *, revision: int) -> CandidateLatency:
    """A prediction as the database keeps it."""
    return CandidateLatency(
        target=target,
        predicted_s=predicted.latency_s,
        low_s=predicted.low_s,
        high_s=predicted.high_s,
        coverage=predicted.coverage,
        tier=predicted.tier,
        model_id=predicted.model_id,
        revision=revision,
        measured_s=None,
    )


def stored_candidate(record: CandidateRecord, targets: Iterable[str], *, revision: int) -> Candidate:
    """A candidate as it stood after so many refits of the predictor, read back from the database."""
    known = sorted((latency for latency in record.latencies if latency.revision <= revision), key=_revision)
    current = {latency.target: latency for latency in known}
    return Candidate(
        architecture=read_architecture(record.document),
        predictions=tuple(_prediction(current[target]) for target in targets),
        miou=record.miou,
        failure=record.failure,
    )


def forecast(record: CandidateRecord, target: str) -> Prediction | None:
    """The newest prediction on a target that was made without having measured this network; None without one."""
    known = [found for found in record.latencies if found.target == target and found.tier != "measured"]
    return _prediction(max(known, key=_revision)) if known else None


def _revision(latency: CandidateLatency) -> int:
    return latency.revision


def _prediction(latency: CandidateLatency) -> Prediction:
    return Prediction(
        latency_s=latency.predicted_s,
        low_s=latency.low_s,
        high_s=latency.high_s,
        coverage=latency.coverage,
        tier=latency.tier,
        breakdown=(),
        unsupported=(),
        model_id=latency.model_id,
        expected_error=None,
    )
