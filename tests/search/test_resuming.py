"""Searches that are interrupted in this process, and resumed to the result of an undisturbed one."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from db.records import CandidateRecord, SearchRunRecord
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch, PredictorUnavailable, StorageError
from search.evaluation.quality import Fidelity
from search.evaluation.workers import InProcess
from search.latency import Patience
from search.outcome import Outcome, outcome_json
from search.plan import SearchPlan
from search.state import read_state, state_path
from tests.search.small_search import (
    GENERATIONS,
    SEARCH,
    TRAINING,
    SmallSearch,
    Told,
    front_of,
    plan,
    rows,
    scored_after,
    train_small_supernet,
)
from tests.search.world import FAST, Served, add_models, served


class Interrupted(BaseException):
    """Stands in for whatever ends a search."""


@dataclass(frozen=True)
class Undisturbed:
    """What a search comes to that nobody interrupts."""

    rows: tuple[CandidateRecord, ...]
    outcome: Outcome

    def after(self, generations: int) -> tuple[CandidateRecord, ...]:
        """What was stored after so many generations."""
        return tuple(replace(row, final_miou=None) for row in self.rows[: scored_after(generations)])


@pytest.fixture(scope="module")
def undisturbed(modelled: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(trained, folder / "supernet")
    database = f"sqlite:///{shutil.copy(modelled, folder / 'hyctas.db')}"
    with served(database) as server:
        outcome = SmallSearch(plan(folder, server.url), database).begin()
    return Undisturbed(rows(database), outcome)


@pytest.fixture
def wanted(server: Served, supernet: Path) -> SearchPlan:
    """The same search beside a supernet, a database and a server of the test's own."""
    return plan(supernet.parent, server.url)


def record(database: str) -> SearchRunRecord:
    with Repository.open(database) as repository:
        return repository.search_run(1)


def raising(at: int) -> Callable[[int], None]:
    def raise_at(number: int) -> None:
        if number == at:
            raise Interrupted

    return raise_at


def assert_same(database: str, outcome: Outcome, expected: Undisturbed) -> None:
    """Bit for bit: candidates in order, generations, predictions, objectives, fronts."""
    assert rows(database) == expected.rows
    assert front_of(outcome) == front_of(expected.outcome)
    assert (outcome.hypervolume, outcome.evaluated) == (expected.outcome.hypervolume, expected.outcome.evaluated)
    assert outcome.supernet == expected.outcome.supernet
    found = record(database)
    assert (found.status, found.summary) == ("finished", outcome_json(outcome))


@pytest.mark.parametrize(
    "generation", [1, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_interrupted_after_a_generation(
    server: Served, wanted: SearchPlan, undisturbed: Undisturbed, generation: int
) -> None:
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_generation=raising(generation))).begin()
    assert rows(server.database) == tuple(
        replace(row, final_miou=None) for row in undisturbed.rows[: scored_after(generation)]
    )
    stopped = record(server.database)
    assert (stopped.status, stopped.summary["ended_by"]) == ("interrupted", "Interrupted")
    told = Told()
    outcome = SmallSearch(wanted, server.database, told).resume()
    assert told.phases[0] == ("search", SEARCH.evaluations, scored_after(generation))
    assert len(told.hypervolumes) == GENERATIONS - generation
    assert_same(server.database, outcome, undisturbed)


@pytest.mark.parametrize("score", [3, pytest.param(15, marks=pytest.mark.slow)])
def test_interrupted_in_the_middle_of_a_generation(
    server: Served, wanted: SearchPlan, undisturbed: Undisturbed, score: int
) -> None:
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_score=raising(score))).begin()
    whole = max(number for number in range(GENERATIONS) if scored_after(number) <= score)
    assert len(rows(server.database)) == scored_after(whole) < score
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


def test_interrupted_while_the_front_is_evaluated(server: Served, wanted: SearchPlan, undisturbed: Undisturbed) -> None:
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_score=raising(SEARCH.evaluations + 2))).begin()
    assert all(row.final_miou is None for row in rows(server.database))
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


def test_interrupted_between_rows_and_state(
    server: Served, wanted: SearchPlan, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a generation are stored, the state that follows from them is not: they are not evaluated again."""
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_generation=raising(GENERATIONS - 1))).begin()
    path = state_path(Path(wanted.folder), 1)
    before_the_last = path.read_bytes()
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_generation=raising(GENERATIONS))).resume()
    path.write_bytes(before_the_last)
    assert (len(rows(server.database)), read_state(path, 1).evaluated) == (24, scored_after(GENERATIONS - 1))
    monkeypatch.setattr(InProcess, "evaluate", only_the_front(wanted))
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


def only_the_front(of: SearchPlan) -> Callable[..., Any]:
    """An evaluation that takes nothing but the front."""
    evaluate = InProcess.evaluate

    def checked(pool: InProcess, architectures: Sequence[Architecture], fidelity: Fidelity, *rest: Any) -> Any:
        assert not architectures or fidelity.recalibration_batches == of.search.final_batches
        return evaluate(pool, architectures, fidelity, *rest)

    return checked


@pytest.mark.slow
def test_interrupted_many_times(server: Served, wanted: SearchPlan, undisturbed: Undisturbed) -> None:
    search = SmallSearch(wanted, server.database, Told(on_generation=raising(1)))
    with pytest.raises(Interrupted):
        search.begin()
    ends = ({"on_score": 2}, {"on_generation": 2}, {"on_generation": 4}, {"on_score": 1})
    for told in (Told(**{name: raising(at) for name, at in end.items()}) for end in ends):  # type: ignore[arg-type]
        with pytest.raises(Interrupted):
            replace(search, told=told).resume()
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


def test_a_search_goes_on_with_the_models_that_it_began_with(
    server: Served, wanted: SearchPlan, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Even if it was interrupted before its first generation, and newer models were trained since."""
    with pytest.raises(Interrupted):
        SmallSearch(wanted, server.database, Told(on_score=raising(1))).begin()
    add_models(tmp_path / "newer", server.database, (FAST,), seed=7)
    server.stop()
    server.start()
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


def test_a_predictor_that_stops_is_waited_for(server: Served, wanted: SearchPlan, undisturbed: Undisturbed) -> None:
    back = threading.Timer(0.5, server.start)

    def stop(generation: int) -> None:
        if generation == 2:
            server.stop()
            back.start()

    told = Told(on_generation=stop)
    patience = Patience(first_s=0.05, longest_s=0.1, limit_s=60.0)
    outcome = SmallSearch(wanted, server.database, told, patience=patience).begin()
    back.join()
    assert "the predictor does not answer" in told.lines[0]
    assert "the predictor is back" in told.lines[1]
    assert_same(server.database, outcome, undisturbed)


def test_a_predictor_that_stays_away_ends_the_search_until_it_is_resumed(
    server: Served, wanted: SearchPlan, undisturbed: Undisturbed
) -> None:
    told = Told(on_generation=lambda generation: server.stop() if generation == 2 else None)
    patience = Patience(first_s=0.01, longest_s=0.02, limit_s=0.1)
    with pytest.raises(PredictorUnavailable, match="resume it when the server is back"):
        SmallSearch(wanted, server.database, told, patience=patience).begin()
    stopped = record(server.database)
    assert (stopped.status, stopped.summary["ended_by"]) == ("interrupted", "PredictorUnavailable")
    assert rows(server.database) == undisturbed.after(2)
    with pytest.raises(PredictorUnavailable):
        SmallSearch(wanted, server.database, patience=patience).resume()
    assert record(server.database).status == "interrupted"
    server.start()
    assert_same(server.database, SmallSearch(wanted, server.database).resume(), undisturbed)


@pytest.fixture
def interrupted(server: Served, wanted: SearchPlan) -> SmallSearch:
    """A search that was interrupted after a generation."""
    search = SmallSearch(wanted, server.database, Told(on_generation=raising(1)))
    with pytest.raises(Interrupted):
        search.begin()
    return replace(search, told=Told())


def test_a_state_that_is_gone_is_missed(interrupted: SmallSearch) -> None:
    state_path(Path(interrupted.plan.folder), 1).unlink()
    with pytest.raises(CheckpointMismatch, match="state of search 1 cannot be read"):
        interrupted.resume()
    assert record(interrupted.database).status == "interrupted"


def test_a_state_that_is_damaged_is_refused(interrupted: SmallSearch) -> None:
    path = state_path(Path(interrupted.plan.folder), 1)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(CheckpointMismatch, match="is not the state of a search"):
        interrupted.resume()
    assert record(interrupted.database).status == "interrupted"


def test_a_state_of_another_algorithm_is_refused(interrupted: SmallSearch) -> None:
    path = state_path(Path(interrupted.plan.folder), 1)
    document = json.loads(path.read_text())
    document["algorithm"]["algorithm"] = "random"
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointMismatch, match="random"):
        interrupted.resume()


def test_another_supernet_is_refused(interrupted: SmallSearch) -> None:
    shutil.rmtree(interrupted.plan.supernet)
    train_small_supernet(Path(interrupted.plan.supernet), training=replace(TRAINING, seed=5))
    with pytest.raises(CheckpointMismatch, match="scored by"):
        interrupted.resume()
    assert record(interrupted.database).status == "interrupted"
    assert len(rows(interrupted.database)) == scored_after(1)


@pytest.mark.slow
def test_a_supernet_that_is_gone_is_trained_again(interrupted: SmallSearch, undisturbed: Undisturbed) -> None:
    shutil.rmtree(interrupted.plan.supernet)
    train_small_supernet(Path(interrupted.plan.supernet))
    assert_same(interrupted.database, interrupted.resume(), undisturbed)


def test_an_unknown_search_is_said_so(server: Served, wanted: SearchPlan) -> None:
    with pytest.raises(StorageError, match="search 7 does not exist"):
        SmallSearch(wanted, server.database).resume(7)
