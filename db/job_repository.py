"""The part of the repository that keeps attempts at jobs and their results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from db import jobs
from db.database import Database
from db.device_hold import DeviceHold
from db.server_time import server_now
from hyctas.job import AttemptOutcome, Ending, JobAttempt, JobResult, JobTicket


class JobRepository:
    """Jobs of a fleet, behind plain methods; each is one transaction.

    Args:
        database: Where they are.
        clock: Tells the time on SQLite; on PostgreSQL the server does.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def server_time(self) -> datetime:
        """The time by the clock that all attempts go by."""
        with self._database.reading() as session:
            return server_now(session, self._clock)

    def hold_device(self, device: str) -> DeviceHold:
        """A connection that can take the lock of a device.

        Raises:
            StorageError: The database is no PostgreSQL.
        """
        return DeviceHold(self._database.engine, self._database.place, device)

    def begin_attempt(self, ticket: JobTicket, worker: str, *, lost_after_s: float) -> JobAttempt | JobResult | None:
        """Open an attempt at a job; see :func:`db.jobs.begin`."""
        with self._database.writing() as session:
            now = server_now(session, self._clock)
            return jobs.begin(session, ticket, worker=worker, lost_after_s=lost_after_s, now=now)

    def renew_attempt(self, attempt_id: int) -> bool:
        """Say that an attempt goes on; False if somebody has closed it."""
        with self._database.writing() as session:
            return jobs.renew(session, attempt_id, server_now(session, self._clock))

    def end_attempt(
        self,
        ticket: JobTicket,
        attempt_id: int,
        outcome: AttemptOutcome,
        *,
        reason: str = "",
        ending: Ending | None = None,
    ) -> bool:
        """Close an attempt, with the job's result if `ending` gives one; see :func:`db.jobs.end`."""
        with self._database.writing() as session:
            now = server_now(session, self._clock)
            return jobs.end(session, ticket, attempt_id, outcome=outcome, reason=reason, ending=ending, now=now)

    def close_lost_attempt(self, job_id: str, *, lost_after_s: float) -> bool:
        """Close a silent attempt at a job; True unless one is still open."""
        with self._database.writing() as session:
            return jobs.close_lost(session, job_id, lost_after_s=lost_after_s, now=server_now(session, self._clock))

    def add_job_result(self, ticket: JobTicket, ending: Ending) -> bool:
        """Store the result of a job; False, and nothing changes, if it has one."""
        with self._database.writing() as session:
            return jobs.add_result(session, ticket, ending, server_now(session, self._clock))

    def job_result(self, job_id: str) -> JobResult | None:
        """The result of a job."""
        with self._database.reading() as session:
            return jobs.result(session, job_id)

    def job_results(self, ids: Sequence[str]) -> tuple[JobResult, ...]:
        """Results of those of the given jobs that have one, in the order in which they came."""
        with self._database.reading() as session:
            return jobs.results(session, ids)

    def job_attempts(self, job_id: str) -> tuple[JobAttempt, ...]:
        """All attempts at a job, the first one first."""
        with self._database.reading() as session:
            return jobs.attempts(session, job_id)
