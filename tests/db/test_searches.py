"""Contract: searches and their candidates, on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from db.database import Database
from db.engine import open_engine, parse_url
from db.records import ArchitectureRecord, CandidateLatency, CandidateRecord, WorkloadRecord
from db.repository import Repository
from db.search_tables import SearchRun
from hyctas.errors import StorageError
from hyctas.target import Target

CPU, GPU = "epyc-7b12/onnxruntime-fp32-t1", "a100/tensorrt-fp16"
"""The second one is known to the predictor alone."""

MakeNetwork = Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]]

SEARCH = """
import sys
from db.repository import Repository
with Repository(sys.argv[1]) as repository:
    print(repository.start_search({}, ["t"], {}, 0), flush=True)
    sys.stdin.readline()
"""


def a_latency(target: str = CPU, **changes: Any) -> CandidateLatency:
    """A learned prediction of 30 ms."""
    return replace(CandidateLatency(target, 0.03, 0.028, 0.033, 0.9, "learned", "model-7", 0, None), **changes)


def a_candidate(search: int, key: str, **changes: Any) -> CandidateRecord:
    """A candidate ``a-KEY`` of generation 1 with a latency on two targets."""
    branches = [{"cells": [{"op": "conv", "width": 6, "down": False}]}] * 2
    candidate = CandidateRecord(
        search_run_id=search,
        generation=1,
        architecture_key=f"a-{key}",
        document={"version": 1, "branches": branches},
        miou=0.41,
        final_miou=None,
        failure=None,
        latencies=(a_latency(CPU), a_latency(GPU, predicted_s=0.002, model_id=None, tier="measured")),
    )
    return replace(candidate, **changes)


@pytest.fixture
def search(repository: Repository) -> int:
    """A search on two targets."""
    return repository.start_search({"depth": 6}, [CPU, GPU], {"evaluations": 100}, 3)


def test_search_from_start_to_finish(repository: Repository) -> None:
    number = repository.start_search({"depth": 6}, [CPU, GPU], {"limits_s": [0.1, None]}, 2**40)
    running = repository.search_run(number)
    assert (running.space, running.targets, running.seed) == ({"depth": 6}, (CPU, GPU), 2**40)
    assert (running.settings, running.status) == ({"limits_s": [0.1, None]}, "running")
    assert (running.reference_point, running.finished_at, running.summary) == (None, None, {})
    repository.set_reference_point(number, (1.0, -1.5, -3.25))
    repository.finish_search(number, {"front": ["a-x"]})
    finished = repository.search_run(number)
    assert (finished.status, finished.summary) == ("finished", {"front": ["a-x"]})
    assert finished.reference_point == (1.0, -1.5, -3.25)
    assert finished.finished_at is not None and finished.finished_at > finished.started_at == running.started_at


def test_searches_are_listed_oldest_first(repository: Repository) -> None:
    assert repository.search_runs() == ()
    numbers = [repository.start_search({}, [CPU], {}, seed) for seed in (5, 4)]
    assert [(run.id, run.seed) for run in repository.search_runs()] == list(zip(numbers, (5, 4), strict=True))


@pytest.mark.parametrize(
    "use",
    [
        lambda r: r.search_run(9),
        lambda r: r.resume_search(9),
        lambda r: r.finish_search(9, {}),
        lambda r: r.set_reference_point(9, (1.0,)),
        lambda r: r.candidates(9),
        lambda r: r.add_candidates(9, []),
    ],
)
def test_unknown_search_is_refused_with_those_that_exist(
    repository: Repository, search: int, use: Callable[[Repository], object]
) -> None:
    with pytest.raises(StorageError, match=f"search 9 does not exist; stored searches: {search}"):
        use(repository)


def test_candidates_come_back_equal_and_in_order(repository: Repository, search: int) -> None:
    stored = [
        a_candidate(search, "z"),
        a_candidate(search, "failed", miou=None, failure="out of memory"),
        a_candidate(search, "over-limit", miou=None, generation=2, latencies=(a_latency(high_s=0.1 + 0.2),)),
        a_candidate(search, "nowhere", final_miou=0.43, latencies=()),
    ]
    repository.add_candidates(search, stored[:2])
    repository.add_candidates(search, stored[2:])
    assert repository.candidates(search) == tuple(stored)


def test_generation_stored_twice_changes_nothing(repository: Repository, search: int) -> None:
    first = [a_candidate(search, key) for key in ("x", "y")]
    repository.add_candidates(search, first)
    again = [replace(candidate, generation=2, miou=0.9, failure="changed") for candidate in first]
    repository.add_candidates(search, [*again, *again, a_candidate(search, "new")])
    assert repository.candidates(search) == (*first, a_candidate(search, "new"))


def test_no_candidates_at_all(repository: Repository, search: int) -> None:
    repository.add_candidates(search, [])
    repository.add_candidate_latencies(search, {})
    assert repository.candidates(search) == ()


def test_searches_keep_their_candidates_apart(repository: Repository, search: int) -> None:
    other = repository.start_search({}, [CPU], {}, 0)
    repository.add_candidates(search, [a_candidate(search, "x")])
    repository.add_candidates(other, [a_candidate(other, "x", miou=0.2), a_candidate(other, "y")])
    repository.set_measured(other, "a-x", CPU, 0.031)
    repository.set_final_miou(other, "a-x", 0.25)
    assert repository.candidates(search) == (a_candidate(search, "x"),)
    assert [candidate.final_miou for candidate in repository.candidates(other)] == [0.25, None]


def test_candidate_of_another_search_is_refused_and_none_is_stored(repository: Repository, search: int) -> None:
    other = repository.start_search({}, [CPU], {}, 0)
    with pytest.raises(StorageError, match=f"'a-y' belongs to search {other}; it cannot be stored in search {search}"):
        repository.add_candidates(search, [a_candidate(search, "x"), a_candidate(other, "y")])
    assert repository.candidates(search) == ()
    assert repository.architecture("a-x") is None


def test_many_candidates_at_once(repository: Repository, search: int) -> None:
    stored = tuple(a_candidate(search, f"{number}") for number in range(1201))
    repository.add_candidates(search, stored)
    repository.add_candidate_latencies(search, {c.architecture_key: [a_latency(revision=1)] for c in stored})
    found = repository.candidates(search)
    assert [candidate.architecture_key for candidate in found] == [c.architecture_key for c in stored]
    assert {len(candidate.latencies) for candidate in found} == {3}


def test_revisions_of_the_predictor_are_all_kept(repository: Repository, search: int) -> None:
    repository.add_candidates(search, [a_candidate(search, "x")])
    refitted = a_latency(predicted_s=0.036, revision=1, model_id="model-8")
    repository.add_candidate_latencies(search, {"a-x": [refitted]})
    repository.add_candidate_latencies(search, {"a-x": [replace(refitted, predicted_s=9.0)]})
    (candidate,) = repository.candidates(search)
    assert candidate.latencies == (*a_candidate(search, "x").latencies, refitted)


def test_measured_latency_stands_in_every_revision_of_its_target(repository: Repository, search: int) -> None:
    repository.add_candidates(search, [a_candidate(search, "x")])
    repository.add_candidate_latencies(search, {"a-x": [a_latency(revision=1)]})
    repository.set_measured(search, "a-x", CPU, 0.0315)
    later = [a_latency(revision=2), a_latency(GPU, revision=2), a_latency(revision=3, measured_s=0.04)]
    repository.add_candidate_latencies(search, {"a-x": later})
    (candidate,) = repository.candidates(search)
    assert [(latency.target, latency.revision, latency.measured_s) for latency in candidate.latencies] == [
        (CPU, 0, 0.0315),
        (GPU, 0, None),
        (CPU, 1, 0.0315),
        (CPU, 2, 0.0315),
        (GPU, 2, None),
        (CPU, 3, 0.04),
    ]


def test_unknown_candidate_or_target_is_refused(repository: Repository, search: int) -> None:
    repository.add_candidates(search, [a_candidate(search, "x", latencies=(a_latency(GPU),))])
    for use in (
        lambda: repository.add_candidate_latencies(search, {"a-x": [a_latency()], "a-y": [a_latency()]}),
        lambda: repository.set_measured(search, "a-y", CPU, 0.1),
        lambda: repository.set_final_miou(search, "a-y", 0.1),
    ):
        with pytest.raises(StorageError, match=rf"search {search} has no candidate 'a-y'"):
            use()
    with pytest.raises(StorageError, match=rf"has no latency on '{CPU}'; it has one on: {GPU}"):
        repository.set_measured(search, "a-x", CPU, 0.1)
    (candidate,) = repository.candidates(search)
    assert candidate.latencies == (a_latency(GPU),)


def test_number_that_is_none_is_refused_and_none_of_the_generation_is_stored(
    repository: Repository, search: int
) -> None:
    with pytest.raises(StorageError):
        repository.add_candidates(
            search, [a_candidate(search, "x"), a_candidate(search, "y", document={"version": float("nan")})]
        )
    assert repository.candidates(search) == ()


def test_architecture_of_a_candidate_gets_its_workload_when_it_is_measured(
    repository: Repository, search: int, network: MakeNetwork, measured: Callable[..., Any], target: Target
) -> None:
    workload, architecture = network("x")
    repository.add_candidates(search, [a_candidate(search, "x")])
    assert repository.architecture("a-x") == replace(architecture, workload_key=None)
    assert repository.network_latencies(target) == ()
    repository.add_workloads([workload])
    repository.add_architectures([architecture])
    repository.add_measurement(repository.start_run("chosen", target, {}), measured("n-x"), calibration=None)
    assert repository.architecture("a-x") == architecture
    assert [record for record, _ in repository.network_latencies(target)] == [architecture]
    repository.add_candidates(search, [a_candidate(search, "x")])
    assert repository.architecture("a-x") == architecture


def test_search_of_a_living_process_is_neither_marked_nor_resumed(repository: Repository, url: str, root: Path) -> None:
    with another_process_searching(url, root) as child:
        own = repository.start_search({}, [CPU], {}, 0)
        repository.mark_interrupted()
        assert {run.id: run.status for run in repository.search_runs()} == {child.search: "running", own: "running"}
        with pytest.raises(StorageError, match=rf"search {child.search} is still running as process {child.pid} on "):
            repository.resume_search(child.search)
    repository.mark_interrupted()
    assert {run.id: run.status for run in repository.search_runs()} == {child.search: "interrupted", own: "running"}
    resumed = repository.resume_search(child.search)
    assert (resumed.status, resumed.finished_at) == ("running", None)
    assert repository.search_run(child.search) == resumed
    repository.mark_interrupted()
    assert repository.search_run(child.search).status == "running"


def test_killed_search_is_resumed_without_being_marked_first(repository: Repository, url: str, root: Path) -> None:
    with another_process_searching(url, root) as child:
        pass
    assert repository.search_run(child.search).status == "running"
    assert repository.resume_search(child.search).status == "running"
    assert repository.resume_search(child.search).status == "running"


def test_search_on_another_host_is_only_taken_over_on_purpose(repository: Repository, url: str, search: int) -> None:
    database = Database(url, create=False)
    with database.writing() as session:
        session.execute(update(SearchRun).values(host="gpu-box", pid=4711))
    database.close()
    repository.mark_interrupted()
    with pytest.raises(StorageError, match=r"process 4711 on gpu-box; .*take the search over if gpu-box is gone"):
        repository.resume_search(search)
    assert repository.resume_search(search, take_over=True).status == "running"
    assert repository.resume_search(search).status == "running"


def test_view_shows_current_latencies_in_milliseconds(repository: Repository, url: str, search: int) -> None:
    repository.add_candidates(
        search, [a_candidate(search, "x", final_miou=0.5), a_candidate(search, "y", latencies=(), failure="crash")]
    )
    repository.add_candidate_latencies(search, {"a-x": [a_latency(predicted_s=0.04, revision=1)]})
    repository.set_measured(search, "a-x", CPU, 0.05)
    columns = "architecture_key, branches, final_miou, failure, target, predicted_ms, measured_ms, revision"
    engine = open_engine(parse_url(url))
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT {columns} FROM search_candidates ORDER BY candidate_id, target"))
        assert [tuple(row) for row in rows] == [
            ("a-x", 2, 0.5, None, GPU, 2.0, None, 0),
            ("a-x", 2, 0.5, None, CPU, 40.0, 50.0, 1),
            ("a-y", 2, None, "crash", None, None, None, None),
        ]
    engine.dispose()


class OtherProcess:
    """A process that started a search."""

    def __init__(self, search: int, pid: int) -> None:
        self.search = search
        self.pid = pid


@contextmanager
def another_process_searching(url: str, root: Path) -> Iterator[OtherProcess]:
    """Another process that runs a search until the end of the block, where it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", SEARCH, url], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        yield OtherProcess(int(child.stdout.readline()), child.pid)
        child.kill()
