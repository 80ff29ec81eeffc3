from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from db.repository import Repository
from hyctas.prediction import Prediction
from search.candidate import Candidate
from search.store import candidate_latency, candidate_record, forecast, stored_candidate
from tests.search.scored import candidate, prediction
from tests.search.world import FAST, SLOW

TARGETS = (FAST.name, SLOW.name)
CANDIDATES = (
    candidate(0, 0.1 + 0.2, prediction(1e-3, 0.9e-3, 1.2e-3), prediction(4e-3, 3e-3, 5e-3, tier="extrapolated")),
    candidate(1, None, prediction(2e-3), prediction(5e-3)),
    candidate(2, None, prediction(3e-3), prediction(6e-3), failure="the logits are not all finite"),
    candidate(3, 0.0, prediction(4e-3, tier="measured"), prediction(7e-3)),
)
REFITTED = tuple(
    dataclasses.replace(
        found, predictions=tuple(dataclasses.replace(p, latency_s=p.latency_s * 1.1) for p in found.predictions)
    )
    for found in CANDIDATES
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(f"sqlite:///{tmp_path / 'hyctas.db'}")


def stored(repository: Repository) -> int:
    run_id = repository.start_search({}, TARGETS, {}, 0)
    repository.add_candidates(run_id, [candidate_record(run_id, 5, c, TARGETS, revision=0) for c in CANDIDATES])
    return run_id


def read(repository: Repository, run_id: int, *, revision: int) -> tuple[Candidate, ...]:
    return tuple(stored_candidate(r, TARGETS, revision=revision) for r in repository.candidates(run_id))


def refit(repository: Repository, run_id: int) -> None:
    latencies = {
        found.architecture.key: [
            candidate_latency(target, predicted, revision=1)
            for target, predicted in zip(TARGETS, found.predictions, strict=True)
        ]
        for found in REFITTED
    }
    repository.add_candidate_latencies(run_id, latencies)


def test_what_is_read_is_what_was_stored(repository: Repository) -> None:
    with repository:
        run_id = stored(repository)
        assert read(repository, run_id, revision=0) == CANDIDATES
        assert {record.generation for record in repository.candidates(run_id)} == {5}


def test_each_revision_is_read_back_as_it_stood(repository: Repository) -> None:
    with repository:
        run_id = stored(repository)
        refit(repository, run_id)
        assert read(repository, run_id, revision=0) == CANDIDATES
        assert read(repository, run_id, revision=1) == REFITTED
        assert read(repository, run_id, revision=2) == REFITTED


def test_a_measurement_changes_no_prediction_that_is_read_back(repository: Repository) -> None:
    with repository:
        run_id = stored(repository)
        repository.set_measured(run_id, CANDIDATES[0].architecture.key, FAST.name, 0.5)
        refit(repository, run_id)
        assert read(repository, run_id, revision=0) == CANDIDATES
        assert read(repository, run_id, revision=1) == REFITTED


def test_targets_are_read_in_the_order_that_is_asked_for(repository: Repository) -> None:
    with repository:
        run_id = stored(repository)
        turned = [stored_candidate(r, TARGETS[::-1], revision=0) for r in repository.candidates(run_id)]
    assert [found.predictions for found in turned] == [found.predictions[::-1] for found in CANDIDATES]


def test_a_candidate_that_came_after_a_refit_has_no_older_revision(repository: Repository) -> None:
    with repository:
        run_id = repository.start_search({}, TARGETS, {}, 0)
        repository.add_candidates(run_id, [candidate_record(run_id, 1, REFITTED[0], TARGETS, revision=1)])
        assert read(repository, run_id, revision=1) == REFITTED[:1]


def test_a_prediction_keeps_what_the_search_depends_on() -> None:
    kept = candidate_latency(FAST.name, prediction(1e-3, 0.5e-3, 2e-3, tier="estimated"), revision=2)
    assert (kept.target, kept.predicted_s, kept.low_s, kept.high_s) == (FAST.name, 1e-3, 0.5e-3, 2e-3)
    assert (kept.coverage, kept.tier, kept.model_id, kept.revision) == (0.9, "estimated", "0123456789abcdef", 2)
    assert kept.measured_s is None


def test_each_target_needs_its_prediction() -> None:
    with pytest.raises(ValueError, match="zip"):
        candidate_record(1, 1, candidate(0, 0.5, *tuple[Prediction]()), TARGETS, revision=0)


def test_a_forecast_is_the_newest_prediction_that_knew_no_measurement(repository: Repository) -> None:
    with repository:
        run_id = stored(repository)
        refit(repository, run_id)
        found = repository.candidates(run_id)
    assert forecast(found[0], FAST.name) == REFITTED[0].predictions[0]
    assert forecast(found[3], FAST.name) is None
    assert forecast(found[3], SLOW.name) == REFITTED[3].predictions[1]
    measured = dataclasses.replace(found[0].latencies[0], tier="measured", revision=2)
    known = dataclasses.replace(found[0], latencies=(measured, *found[0].latencies))
    assert forecast(known, FAST.name) == REFITTED[0].predictions[0]
