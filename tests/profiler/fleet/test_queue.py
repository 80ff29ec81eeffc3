"""The queue: a job enters once, and is listed, shown and cancelled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from benchmarks.fleet.postgres_server import PostgresServer, free_port
from db.repository import Repository
from hyctas.errors import StorageError, UnknownJob
from hyctas.job import Ending, Job
from hyctas.job_json import job_to_json, ticket
from hyctas.parts import Part
from hyctas.target import parse_target
from profiler.fleet.queue import Queue, open_queue

pytestmark = pytest.mark.postgres

JOB = Job("operators", parse_target("gpu-1/tensorrt-fp16"), (Part("conv", 8, 16, (4,), 8),))
OTHER = replace(JOB, target=parse_target("gpu-2/tensorrt-fp16"))


def test_job_enters_once_however_often_it_is_enqueued(queue: Queue) -> None:
    first, second = queue.enqueue(JOB), queue.enqueue(JOB)
    assert (first.state, first.new, second.state, second.new) == ("waiting", True, "waiting", False)
    assert queue.enqueue(replace(JOB, label="again")).new
    assert [job.ticket.label for job in queue.jobs()] == ["again", ""]


def test_job_enters_once_from_many_at_once(url: str, repository: Repository, queue: Queue) -> None:
    def put(_: int) -> bool:
        with open_queue(url, repository) as mine:
            return mine.enqueue(JOB).new

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(put, range(6))).count(True) == 1
    assert len(queue.jobs()) == 1


def test_job_that_runs_does_not_enter_again(server: PostgresServer, url: str, queue: Queue) -> None:
    queue.enqueue(JOB)
    server.execute("UPDATE procrastinate_jobs SET status = 'doing'", url.rpartition("/")[2])
    again = queue.enqueue(JOB)
    assert (again.state, again.new) == ("running", False)
    assert [job.state for job in queue.jobs(states=["running"])] == ["running"]


def test_job_with_a_result_does_not_enter_again(queue: Queue, repository: Repository) -> None:
    repository.add_job_result(ticket(JOB), Ending("succeeded"))
    again = queue.enqueue(JOB)
    assert (again.state, again.new) == ("succeeded", False)
    assert queue.jobs() == ()


def test_jobs_are_listed_by_target_and_state(queue: Queue, repository: Repository) -> None:
    for job in (JOB, OTHER, replace(JOB, label="b"), replace(JOB, label="c")):
        queue.enqueue(job)
    repository.add_job_result(ticket(replace(JOB, label="b")), Ending("failed", "why"))
    assert [(job.ticket.label, job.state) for job in queue.jobs(target=JOB.target)] == [
        ("c", "waiting"),
        ("b", "failed"),
        ("", "waiting"),
    ]
    (failed,) = queue.jobs(states=["failed"])
    assert failed.result is not None and failed.result.reason == "why" and failed.workloads == 1
    assert len(queue.jobs(limit=2)) == 2


def test_job_is_found_by_how_its_id_begins(queue: Queue) -> None:
    id_ = queue.enqueue(JOB).id
    assert queue.job(id_[:8]).ticket == ticket(JOB)
    assert queue.document(id_) == job_to_json(JOB)
    for unknown in ("ffffffff" if id_[0] != "f" else "00000000", id_[:3], ""):
        with pytest.raises(UnknownJob):
            queue.job(unknown)
    with pytest.raises(UnknownJob):
        queue.document("nothing")


def test_job_that_waits_is_cancelled_and_stays_so(queue: Queue, repository: Repository) -> None:
    id_ = queue.enqueue(JOB).id
    assert queue.cancel(queue.job(id_))
    assert not queue.cancel(queue.job(id_))
    result = repository.job_result(id_)
    assert result is not None and result.status == "cancelled"
    assert queue.enqueue(JOB).state == "cancelled"
    assert [job.state for job in queue.jobs()] == ["cancelled"]


def test_job_that_runs_is_stopped_only_if_asked_for(server: PostgresServer, url: str, queue: Queue) -> None:
    database = url.rpartition("/")[2]
    job = queue.job(queue.enqueue(JOB).id)
    server.execute("UPDATE procrastinate_jobs SET status = 'doing'", database)
    assert not queue.cancel(job)
    assert queue.cancel(job, running=True)
    assert server.execute("SELECT abort_requested FROM procrastinate_jobs", database) == [(True,)]


def test_closed_jobs_are_forgotten_but_not_their_results(queue: Queue, repository: Repository) -> None:
    id_ = queue.enqueue(JOB).id
    queue.enqueue(OTHER)
    queue.cancel(queue.job(id_))
    assert (queue.prune(1), queue.prune(0)) == (0, 1)
    assert [job.ticket for job in queue.jobs()] == [ticket(OTHER)]
    assert repository.job_result(id_) is not None and not queue.enqueue(JOB).new


def test_server_that_is_away_is_a_storage_error(repository: Repository) -> None:
    address = f"postgresql://hyctas:secret@127.0.0.1:{free_port()}/x?connect_timeout=1"
    with (
        pytest.raises(StorageError, match=r"queue postgresql://127\.0\.0\.1") as refused,
        open_queue(address, repository),
    ):
        pass
    assert "secret" not in str(refused.value)
