"""Whole searches, in this process, against a real server."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import httpx
import numpy as np
import pytest

from db.records import CandidateRecord, SearchRunRecord
from db.repository import Repository
from hyctas.architecture_json import read_architecture
from hyctas.client import Client
from hyctas.errors import DatasetError, InvalidInput, UnknownTarget
from hyctas.space import SearchSpace
from search.candidate import Candidate
from search.evolution.algorithms import ALGORITHMS, AlgorithmName
from search.fronts import fronts_of
from search.outcome import Outcome, outcome_json
from search.plan import SearchPlan, plan_from_json
from search.stopwatch import Activity
from search.store import stored_candidate
from tests.search.small_search import (
    GENERATIONS,
    SEARCH,
    TARGETS,
    TRAINING,
    SmallSearch,
    Told,
    plan,
    rows,
    scored_after,
)
from tests.search.world import FAST, Served, served

LIMITED = "limited"
LIMITS_S = (1.8e-3, None)
OTHERS = (*(name for name in ALGORITHMS if name != "nsga2"), LIMITED)


class Counting(httpx.HTTPTransport):
    """Real HTTP whose requests are counted by path."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests[request.url.path] += 1
        return super().handle_request(request)


@dataclass(frozen=True)
class Searched:
    """A search that was run to its end, with everything that it left."""

    plan: SearchPlan
    outcome: Outcome
    record: SearchRunRecord
    rows: Sequence[CandidateRecord]
    requests: Mapping[str, int]
    told: Told
    pinned: tuple[str, ...]

    @property
    def candidates(self) -> list[Candidate]:
        return [stored_candidate(record, self.plan.search.targets, revision=0) for record in self.rows]


class Searches:
    """One search by each algorithm on two targets, and one that has a limit on the first; each run when wanted."""

    def __init__(self, folder: Path, server: Served) -> None:
        self._plans = {name: plan(folder, server.url, algorithm=name) for name in ALGORITHMS}
        self._plans[LIMITED] = plan(folder, server.url, limits_s=LIMITS_S)
        self._server = server
        self._done: dict[str, Searched] = {}

    def __getitem__(self, name: str) -> Searched:
        if name not in self._done:
            self._done[name] = run(self._plans[name], self._server.database)
        return self._done[name]


@pytest.fixture(scope="module")
def searched(modelled: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searches]:
    folder = tmp_path_factory.mktemp("searched")
    database = f"sqlite:///{shutil.copy(modelled, folder / 'hyctas.db')}"
    shutil.copytree(trained, folder / "supernet")
    with served(database) as server:
        yield Searches(folder, server)


def run(of: SearchPlan, database: str) -> Searched:
    transport, told = Counting(), Told()
    with Client(of.url, transport=transport) as client:
        outcome = SmallSearch(of, database, told, client=client).begin()
        pinned = [client.models(target)[-1].model_id for target in of.search.targets]
        requests = transport.requests
    with Repository.open(database) as repository:
        record = repository.search_run(outcome.search_run_id)
    stored = rows(database, outcome.search_run_id)
    return Searched(of, outcome, record, stored, requests, told, tuple(pinned))


@pytest.fixture(params=["nsga2", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def search(request: pytest.FixtureRequest, searched: Searches) -> Searched:
    return searched[request.param]


def dominates(one: Candidate, other: Candidate) -> bool:
    ours, theirs = (np.array(c.score((None, None)).minimised) for c in (one, other))
    return bool((ours <= theirs).all() and (ours < theirs).any())


def test_evaluations_are_used_up_and_each_network_is_scored_once(search: Searched) -> None:
    assert search.outcome.evaluated == len(search.rows) == SEARCH.evaluations
    assert len({record.architecture_key for record in search.rows}) == SEARCH.evaluations


def test_each_generation_is_one_batch_a_target(search: Searched) -> None:
    asked_for_models = len(TARGETS)
    assert search.requests["/predict"] == asked_for_models + GENERATIONS * len(TARGETS)
    sizes = [scored_after(number) - scored_after(number - 1) for number in range(1, GENERATIONS + 1)]
    assert Counter(record.generation for record in search.rows) == dict(enumerate(sizes, 1))


def test_every_candidate_is_stored_with_its_predictions(search: Searched) -> None:
    for record in search.rows:
        architecture = read_architecture(record.document)
        assert architecture.key == record.architecture_key
        assert [latency.target for latency in record.latencies] == list(TARGETS)
        for latency, model_id in zip(record.latencies, search.pinned, strict=True):
            assert (latency.model_id, latency.revision, latency.tier) == (model_id, 0, latency.tier)
            assert 0 < latency.low_s <= latency.predicted_s <= latency.high_s
            assert latency.measured_s is None
        assert record.failure is None
        assert record.miou is None or 0 <= record.miou <= 1


def test_fronts_hold_exactly_what_nothing_dominates(search: Searched) -> None:
    limits_s = search.plan.search.limits_s
    eligible = [c for c in search.candidates if c.miou is not None and c.within(limits_s)]
    fronts = fronts_of(search.candidates, limits_s)
    groups = {None: eligible} | {
        count: [c for c in eligible if len(c.architecture.branches) == count] for count in (1, 2, 3)
    }
    for count, group in groups.items():
        front = fronts.overall if count is None else fronts.by_branches.get(count, ())
        expected = {c.architecture.key for c in group if not any(dominates(other, c) for other in group)}
        assert {c.architecture.key for c in front} == expected
        assert list(front) == sorted(front, key=lambda c: c.latency_s)
    assert fronts.by_branches.keys() == {len(c.architecture.branches) for c in eligible}


def test_one_search_finds_a_front_for_each_branch_count(searched: Searches) -> None:
    assert list(searched["nsga2"].outcome.fronts.by_branches) == [1, 2, 3]
    assert all(searched["nsga2"].outcome.fronts.by_branches.values())


def test_networks_of_the_fronts_have_a_final_miou(search: Searched) -> None:
    members = {c.architecture.key for c in fronts_of(search.candidates, search.plan.search.limits_s).members}
    careful = {r.architecture_key: r.final_miou for r in search.rows if r.final_miou is not None}
    assert careful.keys() == members
    shown = {c.architecture.key: c.miou for c in search.outcome.fronts.members}
    assert shown.keys() <= members
    assert shown == {key: careful[key] for key in shown}
    for front in (search.outcome.fronts.overall, *search.outcome.fronts.by_branches.values()):
        assert not any(dominates(one, other) for one in front for other in front)


def test_what_came_of_it_is_stored(search: Searched) -> None:
    assert search.record.status == "finished"
    assert search.record.summary == outcome_json(search.outcome)
    assert search.record.targets == TARGETS
    assert search.record.seed == SEARCH.seed
    assert plan_from_json(search.record.settings) == search.plan
    assert search.record.reference_point is not None and len(search.record.reference_point) == 3
    assert search.outcome.drift == {}


def test_hypervolume_grows_to_what_is_stored(search: Searched) -> None:
    volumes = search.told.hypervolumes
    assert volumes == sorted(volumes)
    assert volumes[-1] == search.outcome.hypervolume > 0


def test_progress_is_told(search: Searched) -> None:
    members = fronts_of(search.candidates, search.plan.search.limits_s).members
    assert search.told.phases == [("search", SEARCH.evaluations, 0), ("front", len(members), 0)]
    assert search.told.scores == SEARCH.evaluations + len(members)


def test_time_is_told_by_activity(search: Searched) -> None:
    assert search.outcome.spent_s.keys() == set(get_args(Activity)) - {"measurement"}
    assert all(spent_s > 0 for spent_s in search.outcome.spent_s.values())


@pytest.mark.slow
def test_networks_over_a_limit_are_never_evaluated(searched: Searches) -> None:
    search = searched[LIMITED]
    over = [c for c in search.candidates if c.latency_s[0] > LIMITS_S[0]]
    assert 0 < len(over) < len(search.rows)
    assert {c.architecture.key for c in over} == {r.architecture_key for r in search.rows if r.miou is None}
    assert all(c.latency_s[0] <= LIMITS_S[0] for c in search.outcome.fronts.members)


@pytest.mark.slow
def test_algorithms_begin_with_the_same_networks_and_go_on_with_others(searched: Searches) -> None:
    keys = [[record.architecture_key for record in searched[name].rows] for name in ALGORITHMS]
    assert len({tuple(of_one[: scored_after(1)]) for of_one in keys}) == 1
    assert len({tuple(of_one) for of_one in keys}) == len(ALGORITHMS)


@pytest.mark.slow
def test_equal_seeds_search_equally_and_others_do_not(
    server: Served, supernet: Path, tmp_path: Path, searched: Searches
) -> None:
    del supernet
    again = run(plan(tmp_path, server.url), server.database)
    assert [r.latencies for r in again.rows] == [r.latencies for r in searched["nsga2"].rows]
    assert [(r.architecture_key, r.miou, r.final_miou) for r in again.rows] == [
        (r.architecture_key, r.miou, r.final_miou) for r in searched["nsga2"].rows
    ]
    other = run(plan(tmp_path, server.url, seed=1, evaluations=6), server.database)
    assert {r.architecture_key for r in other.rows} != {r.architecture_key for r in again.rows[: len(other.rows)]}


@pytest.mark.parametrize("algorithm", ["nsga2", pytest.param("single", marks=pytest.mark.slow)])
def test_one_target_is_enough(server: Served, supernet: Path, tmp_path: Path, algorithm: AlgorithmName) -> None:
    del supernet
    one = plan(tmp_path, server.url, algorithm=algorithm, targets=(FAST.name,), limits_s=(None,), evaluations=12)
    search = run(one, server.database)
    assert search.requests["/predict"] == 1 + len({record.generation for record in search.rows})
    assert all(len(c.latency_s) == 1 for c in search.outcome.fronts.members)


def test_a_space_that_is_used_up_ends_the_search(server: Served, tmp_path: Path) -> None:
    space = SearchSpace(depth=3, min_cells=3, operators=("conv",), widths=(4,))
    small = replace(plan(tmp_path, server.url), space=space, training=replace(TRAINING, steps=2))
    search = run(small, server.database)
    assert search.outcome.evaluated == len(search.rows) == space.cardinality < SEARCH.evaluations
    assert search.record.status == "finished"


def test_a_wrong_target_ends_it_before_anything_is_trained_or_stored(server: Served, tmp_path: Path) -> None:
    wrong = plan(tmp_path, server.url, targets=("rtx-4090/tensorrt-fp16",), limits_s=(None,))
    with pytest.raises(UnknownTarget, match=FAST.name):
        SmallSearch(wrong, server.database).begin()
    assert not Path(wrong.supernet).exists() and not Path(wrong.folder).exists()
    with Repository.open(server.database) as repository:
        assert repository.search_runs() == ()


@pytest.mark.parametrize(
    ("dataset", "error"), [("synthetic:0:0+1", InvalidInput), ("nothing", InvalidInput), ("camvid:{}", DatasetError)]
)
def test_a_data_set_that_is_none_ends_it_before_anything_is_asked(
    server: Served, tmp_path: Path, dataset: str, error: type[Exception]
) -> None:
    server.stop()
    with pytest.raises(error):
        SmallSearch(plan(tmp_path, server.url, dataset=dataset.format(tmp_path)), server.database).begin()


def test_classes_must_be_those_of_the_data_set(server: Served, tmp_path: Path) -> None:
    of = plan(tmp_path, server.url)
    with pytest.raises(InvalidInput, match=r"classes: 19 .* expected 8, as in synthetic"):
        SmallSearch(replace(of, networks=replace(of.networks, classes=19)), server.database).begin()


def test_measuring_needs_a_device(server: Served, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--measure"):
        SmallSearch(plan(tmp_path, server.url, measure=True), server.database).begin()
