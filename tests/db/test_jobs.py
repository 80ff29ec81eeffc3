"""Contract: attempts at jobs and their results, on SQLite and PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from db.device_hold import lock_key
from db.repository import Repository
from hyctas.errors import StorageError
from hyctas.job import Ending, JobAttempt, JobResult, JobTicket
from hyctas.target import Target, parse_target

SILENCE_S = 60.0
DONE = Ending("succeeded", summary={"run": 3, "measured": 2})


class MovableClock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    """Tells the time on SQLite; PostgreSQL has its own."""
    return MovableClock()


@pytest.fixture
def jobs(url: str, clock: MovableClock) -> Iterator[Repository]:
    """A new database of either kind."""
    with Repository(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def one(target: Target) -> JobTicket:
    """A job."""
    return JobTicket("1" * 32, target, "operators", "tonight")


def begun(jobs: Repository, ticket: JobTicket, worker: str = "w1", lost_after_s: float = SILENCE_S) -> JobAttempt:
    attempt = jobs.begin_attempt(ticket, worker, lost_after_s=lost_after_s)
    assert isinstance(attempt, JobAttempt)
    return attempt


def test_job_from_its_first_attempt_to_its_result(jobs: Repository, one: JobTicket) -> None:
    failed = begun(jobs, one)
    assert (failed.number, failed.outcome, failed.ended_at) == (1, None, None)
    assert jobs.renew_attempt(failed.id)
    assert jobs.end_attempt(one, failed.id, "failed", reason="it broke")
    assert jobs.job_result(one.id) is None
    second = begun(jobs, one)
    assert jobs.end_attempt(one, second.id, "done", ending=DONE)
    result = jobs.job_result(one.id)
    assert result is not None
    assert (result.status, result.summary, result.attempts) == ("succeeded", DONE.summary, 2)
    assert [(a.number, a.outcome, a.reason) for a in jobs.job_attempts(one.id)] == [
        (1, "failed", "it broke"),
        (2, "done", ""),
    ]


def test_one_open_attempt_holds_the_device_for_all_its_targets(jobs: Repository, one: JobTicket) -> None:
    first = begun(jobs, one)
    other = JobTicket("2" * 32, parse_target(f"{one.target.device}/torch-fp32-t1"), "networks")
    elsewhere = JobTicket("3" * 32, parse_target("a100/tensorrt-fp16"), "networks")
    assert jobs.begin_attempt(one, "w2", lost_after_s=SILENCE_S) is None
    assert jobs.begin_attempt(other, "w2", lost_after_s=SILENCE_S) is None
    begun(jobs, elsewhere)
    jobs.end_attempt(one, first.id, "done", ending=DONE)
    assert begun(jobs, other).number == 1


def test_finished_job_is_not_begun_again(jobs: Repository, one: JobTicket) -> None:
    jobs.end_attempt(one, begun(jobs, one).id, "done", ending=DONE)
    found = jobs.begin_attempt(one, "w2", lost_after_s=SILENCE_S)
    assert isinstance(found, JobResult) and found.status == "succeeded"
    assert len(jobs.job_attempts(one.id)) == 1


def test_second_result_changes_nothing(jobs: Repository, one: JobTicket) -> None:
    assert jobs.add_job_result(one, Ending("cancelled", "by a person"))
    assert not jobs.add_job_result(one, DONE)
    (result,) = jobs.job_results([one.id, "unknown"])
    assert (result.status, result.reason, result.attempts) == ("cancelled", "by a person", 0)


def test_silent_attempt_is_lost_to_the_next_and_its_late_result_does_not_count(
    jobs: Repository, one: JobTicket, clock: MovableClock
) -> None:
    silent = begun(jobs, one)
    time.sleep(0.02)
    clock.go_on(0.02)
    heir = begun(jobs, one, "w2", lost_after_s=0.01)
    assert not jobs.renew_attempt(silent.id)
    assert not jobs.end_attempt(one, silent.id, "done", ending=DONE)
    assert jobs.job_result(one.id) is None
    lost, _ = jobs.job_attempts(one.id)
    assert lost.outcome == "lost" and "no sign of life" in lost.reason
    assert jobs.end_attempt(one, heir.id, "done", ending=DONE)


def test_only_a_silent_attempt_is_closed(jobs: Repository, one: JobTicket, clock: MovableClock) -> None:
    assert jobs.close_lost_attempt(one.id, lost_after_s=SILENCE_S), "there is none"
    begun(jobs, one)
    assert not jobs.close_lost_attempt(one.id, lost_after_s=SILENCE_S)
    time.sleep(0.02)
    clock.go_on(0.02)
    assert jobs.close_lost_attempt(one.id, lost_after_s=0.01)
    assert [attempt.outcome for attempt in jobs.job_attempts(one.id)] == ["lost"]


def test_renewed_attempt_is_not_lost(jobs: Repository, one: JobTicket, clock: MovableClock) -> None:
    attempt = begun(jobs, one)
    clock.go_on(0.9 * SILENCE_S)
    assert jobs.renew_attempt(attempt.id)
    clock.go_on(0.9 * SILENCE_S)
    assert jobs.begin_attempt(one, "w2", lost_after_s=SILENCE_S) is None


def test_of_many_at_once_one_begins(jobs: Repository, one: JobTicket) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: jobs.begin_attempt(one, f"w{n}", lost_after_s=SILENCE_S), range(8)))
    assert sum(isinstance(attempt, JobAttempt) for attempt in found) == 1
    assert found.count(None) == 7


def test_sqlite_holds_no_device_between_hosts(sqlite_url: str) -> None:
    with Repository(sqlite_url) as repository, pytest.raises(StorageError, match="PostgreSQL alone"):
        repository.hold_device("epyc-7b12")


@pytest.mark.postgres
def test_device_is_held_until_its_connection_ends(postgres_url: str, one: JobTicket) -> None:
    with Repository(postgres_url) as repository:
        first, second, other = (repository.hold_device(name) for name in ("epyc-7b12", "epyc-7b12", "a100"))
        assert first.take(lost_after_s=SILENCE_S) and first.take(lost_after_s=SILENCE_S)
        assert not second.take(lost_after_s=SILENCE_S)
        assert other.take(lost_after_s=SILENCE_S)
        attempt = begun(repository, one)
        assert first.renew(attempt.id)
        repository.end_attempt(one, attempt.id, "handed_back")
        assert not first.renew(attempt.id)
        first.close()
        deadline_s = time.monotonic() + 10
        while not second.take(lost_after_s=SILENCE_S) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert second.take(lost_after_s=SILENCE_S)
        second.close()
        other.close()


@pytest.mark.postgres
def test_silent_holder_of_a_device_loses_its_connection(postgres_url: str) -> None:
    with Repository(postgres_url) as repository:
        silent, heir = repository.hold_device("gpu"), repository.hold_device("gpu")
        assert silent.take(lost_after_s=SILENCE_S)
        time.sleep(0.05)
        deadline_s = time.monotonic() + 10
        while not heir.take(lost_after_s=0.01) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert heir.take(lost_after_s=SILENCE_S)
        with pytest.raises(StorageError):
            silent.renew(1)
        heir.close()
        silent.close()


def test_keys_of_locks_are_signed_and_differ() -> None:
    keys = {lock_key(f"device-{number}") for number in range(200)}
    assert len(keys) == 200
    assert all(-(2**63) <= key < 2**63 for key in keys) and min(keys) < 0 < max(keys)
