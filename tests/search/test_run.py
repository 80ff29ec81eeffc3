"""The loop over generations, with a real server and a pool that knows each network's quality by a formula."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import search.run
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.client import Client
from hyctas.network_macs import network_macs
from search.evaluation.quality import Failure, Fidelity, Quality
from search.evolution.algorithm import Algorithm
from search.evolution.algorithms import algorithm
from search.evolution.scored import Score
from search.evolution.settings import EvolutionSettings
from search.latency import RemoteLatency
from search.run import Journal, SearchRun
from search.scoring import Scoring
from search.settings import SearchSettings
from search.state import SearchState, read_state, state_path
from search.stopwatch import Stopwatch
from tests.search.small_search import SEARCH, TARGETS, Told
from tests.search.world import NETWORKS, SPACE, Served

SHORT = dataclasses.replace(SEARCH, population=4, evaluations=12)
EVOLUTION = EvolutionSettings(population=4, offspring=4)


@dataclasses.dataclass
class Clock:
    """A clock that moves by what each kind of work is said to take."""

    takes_s: dict[str, int]
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def work(self, kind: str) -> None:
        self.now_s += self.takes_s.get(kind, 0)


class TimedHttp(httpx.HTTPTransport):
    """Real HTTP that takes time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._clock.work("request")
        return super().handle_request(request)


@dataclasses.dataclass
class Formula:
    """A pool whose mIoU grows with the work of a network; networks for which `fails` holds fail."""

    clock: Clock
    fails: Callable[[Architecture], bool] = lambda architecture: False

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Quality | Failure]:
        results: list[Quality | Failure] = []
        for architecture in architectures:
            self.clock.work("network")
            miou = 1.0 - 1.0 / (1.0 + network_macs(architecture) / 1e6)
            results.append(Failure("not finite") if self.fails(architecture) else Quality(miou, ()))
            finished()
        return results


class TimedAlgorithm:
    """NSGA-II that takes time."""

    def __init__(self, clock: Clock, of: SearchSettings) -> None:
        rng = np.random.default_rng(of.seed)
        self._own = algorithm("nsga2", SPACE, NETWORKS, EVOLUTION, rng)
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def ask(self, most: int | None = None) -> tuple[Architecture, ...]:
        self._clock.work("ask")
        return self._own.ask(most)

    def tell(self, architectures: Sequence[Architecture], scores: Sequence[Score]) -> None:
        self._clock.work("tell")
        self._own.tell(architectures, scores)

    def rescore(self, scores: dict[str, Score]) -> None:
        self._clock.work("rescore")
        self._own.rescore(scores)

    def state(self) -> dict[str, Any]:
        self._clock.work("state")
        return self._own.state()


class TimedRepository(Repository):
    """A database that takes time."""

    clock: Clock

    def add_candidates(self, *arguments: Any) -> None:
        self.clock.work("rows")
        super().add_candidates(*arguments)

    def set_reference_point(self, *arguments: Any) -> None:
        self.clock.work("reference")
        super().set_reference_point(*arguments)


@dataclasses.dataclass
class Bench:
    """Makes runs over one server and one database."""

    repository: TimedRepository
    server: Served
    folder: Path
    opened: contextlib.ExitStack

    def run(self, of: SearchSettings, clock: Clock, **of_pool: Any) -> tuple[SearchRun, Stopwatch, Told, int]:
        self.repository.clock = clock
        run_id = self.repository.start_search({}, of.targets, {}, of.seed)
        client = self.opened.enter_context(Client(self.server.url, transport=TimedHttp(clock)))
        latency = RemoteLatency(client, of.targets, measured_until=datetime.now(UTC))
        stopwatch, told = Stopwatch(clock=clock), Told()
        own: Algorithm = TimedAlgorithm(clock, of)  # type: ignore[assignment]
        first = SearchState(run_id, 0, own.state(), latency.pin, 0, 0, None, {}, "ab" * 32)
        clock.now_s = 0.0
        scoring = Scoring(latency, Formula(clock, **of_pool), of, stopwatch)
        journal = Journal(self.repository, self.folder, run_id)
        made = SearchRun(of, own, scoring, latency, journal, stopwatch=stopwatch, progress=told, state=first)
        return made, stopwatch, told, run_id


@pytest.fixture
def bench(server: Served, tmp_path: Path) -> Iterator[Bench]:
    with TimedRepository(server.database) as repository, contextlib.ExitStack() as opened:
        yield Bench(repository, server, tmp_path / "searches", opened)


KINDS = ("request", "network", "ask", "tell", "rescore", "state", "rows", "reference", "volume")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({kind: st.integers(0, 10**6) for kind in KINDS}))
def test_all_time_is_accounted_for(bench: Bench, takes_s: dict[str, int]) -> None:
    clock = Clock(takes_s)

    def volume(*arguments: Any) -> float:
        clock.work("volume")
        return 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.run, "hypervolume", volume)
        run, stopwatch, _, _ = bench.run(SHORT, clock)
        run.run()
        run.refitted()
        run.rescore(run.archive)
    each = {kind: takes_s[kind] for kind in KINDS}
    assert stopwatch.spent_s == {
        "evaluation": 12 * each["network"],
        "prediction": 3 * 2 * each["request"],
        "evolution": 3 * (each["ask"] + each["tell"] + each["volume"]) + each["rescore"],
        "storage": 3 * each["rows"] + (3 + 2) * each["state"] + each["reference"],
    }
    assert sum(stopwatch.spent_s.values()) == clock.now_s


def test_a_run_ends_where_it_is_told_to(bench: Bench) -> None:
    run, _, told, _ = bench.run(SHORT, Clock({}))
    run.run(until=0)
    assert (len(run.archive), told.hypervolumes) == (0, [])
    run.run(until=5)
    assert len(run.archive) == 8
    run.run(until=8)
    assert len(run.archive) == 8
    run.run(until=99)
    assert len(run.archive) == SHORT.evaluations


@pytest.mark.parametrize("evaluations", [2, 9, 11])
def test_no_more_is_scored_than_was_asked_for(bench: Bench, evaluations: int) -> None:
    run, _, _, _ = bench.run(dataclasses.replace(SHORT, evaluations=evaluations), Clock({}))
    run.run()
    assert len(run.archive) == evaluations


def test_the_state_follows_each_generation(bench: Bench) -> None:
    run, stopwatch, _, run_id = bench.run(SHORT, Clock({"network": 1}))
    path = state_path(bench.folder, run_id)
    for number in (1, 2, 3):
        run.run(until=4 * number)
        state = read_state(path, run_id)
        assert (state.evaluated, state.algorithm["generation"]) == (4 * number, number)
        assert (state.revision, state.scored_revision, state.supernet) == (0, 0, "ab" * 32)
        assert state.reference_point == run.reference_point is not None
        assert state.spent_s["evaluation"] == 4 * number == stopwatch.spent_s["evaluation"]
        assert len(bench.repository.candidates(run_id)) == 4 * number
    assert bench.repository.search_run(run_id).reference_point == run.reference_point


def test_a_refit_is_noted_before_everything_is_scored_again(bench: Bench) -> None:
    run, _, _, run_id = bench.run(SHORT, Clock({}))
    path = state_path(bench.folder, run_id)
    run.run(until=4)
    assert not run.outdated
    run.refitted()
    assert run.outdated
    assert (read_state(path, run_id).revision, read_state(path, run_id).scored_revision) == (1, 0)
    slower = [
        dataclasses.replace(
            c, predictions=tuple(dataclasses.replace(p, latency_s=2 * p.latency_s) for p in c.predictions)
        )
        for c in run.archive
    ]
    run.rescore(slower)
    assert not run.outdated
    assert list(run.archive) == slower
    assert (read_state(path, run_id).revision, read_state(path, run_id).scored_revision) == (1, 1)


def test_a_limit_that_nothing_keeps_to_leaves_no_front_and_no_volume(bench: Bench) -> None:
    impossible = dataclasses.replace(SHORT, limits_s=(1e-9, None))
    run, _, told, run_id = bench.run(impossible, Clock({}))
    run.run()
    assert len(run.archive) == SHORT.evaluations
    assert run.reference_point is None
    assert told.hypervolumes == [0.0] * 3
    assert all(record.miou is None for record in bench.repository.candidates(run_id))


def test_a_generation_that_fails_as_a_whole_is_gone_beyond(bench: Bench) -> None:
    seen: list[str] = []

    def early(architecture: Architecture) -> bool:
        seen.append(architecture.key)
        return len(seen) <= 4

    run, _, told, run_id = bench.run(SHORT, Clock({}), fails=early)
    run.run()
    records = bench.repository.candidates(run_id)
    assert [record.failure for record in records] == ["not finite"] * 4 + [None] * 8
    assert told.hypervolumes[0] == 0.0 < told.hypervolumes[1]
    assert run.reference_point is not None
    assert np.isfinite(run.reference_point).all()


def test_targets_are_those_of_the_settings(bench: Bench) -> None:
    run, _, _, run_id = bench.run(SHORT, Clock({}))
    run.run(until=4)
    for record in bench.repository.candidates(run_id):
        assert tuple(latency.target for latency in record.latencies) == TARGETS
