"""Searches that measure and refit on the way, with a stand-in for the hardware and nothing else."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.records import CandidateLatency, CandidateRecord
from db.repository import Repository
from hyctas.architecture_json import read_architecture
from search.drift import Comparison, Drift, drift
from search.evolution.generations import Generations
from search.fronts import fronts_of
from search.state import read_state, state_path
from search.store import stored_candidate
from search.trust import doubtful
from tests.search.small_search import SmallSearch, Told, plan, rows
from tests.search.stand_in_device import SLOWER, StandInDevice, measured_law_s
from tests.search.world import FAST, SLOW, Served, served

MEASURED = 5
Result = tuple[tuple[CandidateRecord, ...], Mapping[str, Drift], float]
ONE: dict[str, Any] = {"targets": (FAST.name,), "limits_s": (None,)}


class Interrupted(BaseException):
    """Stands in for whatever ends a search."""


@pytest.fixture
def device(server: Served, tmp_path: Path) -> StandInDevice:
    return StandInDevice(server, tmp_path / "refitted")


def measuring(device: StandInDevice, folder: Path, told: Told | None = None, **changes: Any) -> SmallSearch:
    usual = {**ONE, "epochs": 1, "measure": True, "measured_networks": MEASURED}
    of = plan(folder, device.server.url, **{**usual, **changes})
    return SmallSearch(of, device.server.database, told or Told(), devices=device.devices)


def latencies(row: CandidateRecord, target: str = FAST.name) -> list[CandidateLatency]:
    return [latency for latency in row.latencies if latency.target == target]


def as_it_stood(search: SmallSearch, count: int, revision: int = 0) -> list[Any]:
    """The first candidates at a revision."""
    targets = search.plan.search.targets
    return [stored_candidate(row, targets, revision=revision) for row in rows(search.database)[:count]]


def test_a_refit_measures_part_of_the_front_and_scores_everything_again(device: StandInDevice, supernet: Path) -> None:
    told = Told()
    search = measuring(device, supernet.parent, told)
    outcome = search.begin()
    stored = rows(device.server.database)
    (_, on_the_way), (_, at_the_end) = device.asked
    new = device.refitted[0]

    before = as_it_stood(search, 12)
    members = {c.architecture.key for c in fronts_of(before, (None,)).members}
    in_doubt = {c.architecture.key for c in doubtful(before, 0)}
    assert 0 < len(on_the_way) <= MEASURED
    assert len(members.intersection(on_the_way)) >= min(3, len(members))
    assert set(on_the_way) <= members | in_doubt
    assert told.lines[0].startswith(f"measuring {len(on_the_way)} networks on {FAST.name}: ")

    for row in stored[:12]:
        old, current = latencies(row)
        network = read_architecture(row.document)
        assert (old.revision, old.tier, current.revision) == (0, "learned", 1)
        if row.architecture_key in on_the_way:
            assert (current.tier, current.predicted_s) == ("measured", pytest.approx(measured_law_s(FAST, network)))
        else:
            assert (current.tier, current.model_id) == ("learned", new)
            assert current.predicted_s == pytest.approx(measured_law_s(FAST, network), rel=0.05)
    for row in stored[12:]:
        (current,) = latencies(row)
        assert (current.revision, current.model_id) == (1, new)

    state = read_state(state_path(Path(search.plan.folder), 1), 1)
    assert (state.revision, state.scored_revision, state.pin.model_ids) == (1, 1, (new,))
    assert set(at_the_end) == {c.architecture.key for c in outcome.fronts.members}
    assert outcome.spent_s["measurement"] > 0


def test_measurements_are_stored_beside_every_prediction(device: StandInDevice, supernet: Path) -> None:
    measuring(device, supernet.parent).begin()
    asked = {key for _, keys in device.asked for key in keys}
    for row in rows(device.server.database):
        expected = None
        if row.architecture_key in asked:
            expected = pytest.approx(measured_law_s(FAST, read_architecture(row.document)))
        assert [latency.measured_s for latency in latencies(row)] == [expected] * len(latencies(row))


def test_drift_is_that_of_predictions_that_knew_no_measurement(device: StandInDevice, supernet: Path) -> None:
    outcome = measuring(device, supernet.parent, evaluations=12).begin()
    found = outcome.drift[FAST.name]
    by_key = {row.architecture_key: row for row in rows(device.server.database)}
    members = [by_key[c.architecture.key] for c in outcome.fronts.members]
    forecasts = [[latency for latency in latencies(row) if latency.tier != "measured"][-1] for row in members]
    with Repository.open(device.server.database) as repository:
        record = repository.search_run(1)
    assert record.reference_point is not None
    compared = Comparison(
        miou=np.array([row.final_miou for row in members]),
        predicted_s=np.array([forecast.predicted_s for forecast in forecasts]),
        low_s=np.array([forecast.low_s for forecast in forecasts]),
        high_s=np.array([forecast.high_s for forecast in forecasts]),
        measured_s=np.array([measured_law_s(FAST, read_architecture(row.document)) for row in members]),
        nominal_coverage=0.9,
    )
    expected = drift(compared, (record.reference_point[0], record.reference_point[1]))
    assert expected is not None
    for name, value in dataclasses.asdict(expected).items():
        assert getattr(found, name) == pytest.approx(value), name
    assert record.summary["drift"] == {FAST.name: dataclasses.asdict(found)}
    assert {forecast.revision for forecast in forecasts} == {0, 1}
    assert -0.2 < found.bias < 0, "the networks that were measured on the way had been predicted too fast"


def test_without_epochs_only_the_front_is_measured(device: StandInDevice, supernet: Path) -> None:
    outcome = measuring(device, supernet.parent, epochs=0).begin()
    assert device.asked == [(FAST.name, tuple(c.architecture.key for c in outcome.fronts.members))]
    assert device.refitted == []
    found = outcome.drift[FAST.name]
    assert found.networks == len(outcome.fronts.members)
    assert found.bias == pytest.approx(1 / SLOWER - 1, abs=0.03)
    assert all(len(row.latencies) == 1 for row in rows(device.server.database))


def test_without_the_word_nothing_is_measured(device: StandInDevice, supernet: Path) -> None:
    quiet = measuring(device, supernet.parent, measure=False, evaluations=6)
    outcome = quiet.begin()
    assert (device.asked, device.refitted, outcome.drift) == ([], [], {})


def test_networks_that_give_no_latency_are_left_out(device: StandInDevice, supernet: Path) -> None:
    device.broken = lambda architecture: True
    outcome = measuring(device, supernet.parent, epochs=0, evaluations=6).begin()
    assert outcome.drift == {}
    assert all(latency.measured_s is None for row in rows(device.server.database) for latency in row.latencies)


def test_what_was_known_before_the_search_is_no_drift(device: StandInDevice, supernet: Path) -> None:
    """A network that was measured before has no prediction that did not know it."""
    first = measuring(device, supernet.parent, epochs=0, evaluations=6).begin()
    again = measuring(device, supernet.parent, epochs=0, evaluations=6).begin()
    stored = rows(device.server.database, again.search_run_id)
    known = {row.architecture_key for row in stored if latencies(row)[0].tier == "measured"}
    assert known == {c.architecture.key for c in first.fronts.members}
    left = [c for c in again.fronts.members if c.architecture.key not in known]
    assert again.drift.get(FAST.name, None) is None if not left else again.drift[FAST.name].networks == len(left)


@pytest.mark.slow
def test_every_target_and_epoch_measures_what_it_does_not_know(device: StandInDevice, supernet: Path) -> None:
    both = measuring(device, supernet.parent, targets=(FAST.name, SLOW.name), limits_s=(None, None), epochs=2)
    outcome = both.begin()
    assert [target for target, _ in device.asked] == [FAST.name, SLOW.name] * 3
    for target in (FAST.name, SLOW.name):
        on_the_way = [key for name, keys in device.asked[:4] if name == target for key in keys]
        assert len(on_the_way) == len(set(on_the_way))
    assert outcome.drift.keys() == {FAST.name, SLOW.name}
    stored = rows(device.server.database)
    assert [latency.revision for latency in latencies(stored[0], SLOW.name)] == [0, 1, 2]
    assert latencies(stored[-1], SLOW.name)[0].model_id == device.refitted[3]


def interrupted(*arguments: object) -> None:
    raise Interrupted


def before_the_refit(device: StandInDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device, "before_refit", interrupted)


def before_rows(device: StandInDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Repository, "add_candidate_latencies", interrupted)


def before_scores(device: StandInDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Generations, "rescore", interrupted)


def before_the_end(device: StandInDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Repository, "set_final_miou", interrupted)


@pytest.fixture(scope="module")
def undisturbed(modelled: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(trained, folder / "supernet")
    with served(f"sqlite:///{shutil.copy(modelled, folder / 'hyctas.db')}") as server:
        outcome = measuring(StandInDevice(server, folder / "refitted"), folder).begin()
        return rows(server.database), outcome.drift, outcome.hypervolume


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [before_the_refit, before_rows, before_scores, before_the_end])
def test_interrupted_in_a_refit(
    device: StandInDevice,
    supernet: Path,
    undisturbed: Result,
    interrupt: Callable[[StandInDevice, pytest.MonkeyPatch], None],
) -> None:
    search = measuring(device, supernet.parent)
    with pytest.MonkeyPatch.context() as patch:
        interrupt(device, patch)
        with pytest.raises(Interrupted):
            search.begin()
    state = read_state(state_path(Path(search.plan.folder), 1), 1)
    stood = {before_the_refit: (0, 0), before_rows: (1, 0), before_scores: (1, 0), before_the_end: (1, 1)}
    assert (state.revision, state.scored_revision) == stood[interrupt]
    outcome = search.resume()
    assert len(device.refitted) == 1
    assert (rows(device.server.database), outcome.drift, outcome.hypervolume) == undisturbed
