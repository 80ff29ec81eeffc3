"""Where attempts and results of jobs are kept: the seam that a composition root fills with the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hyctas.job import AttemptOutcome, Ending, JobAttempt, JobResult, JobTicket


class Hold(Protocol):
    """A lock on a device that lasts as long as its connection."""

    def take(self, *, lost_after_s: float) -> bool:
        """Take the lock, or confirm it; False while somebody else has it who was not silent for so long."""

    def renew(self, attempt_id: int) -> bool:
        """Say, through the connection that has the lock, that an attempt goes on; False if somebody has closed it."""

    def close(self) -> None:
        """Give up the lock."""


class Ledger(Protocol):
    """Attempts at jobs, and their results: at most one open attempt a device, exactly one result a job.

    Every method may raise :class:`hyctas.errors.StorageError`, and may block for as long as the network does.
    """

    def server_time(self) -> datetime:
        """The time by the clock of the database."""

    def hold_device(self, device: str) -> Hold:
        """A connection that can take the lock of a device."""

    def begin_attempt(self, ticket: JobTicket, worker: str, *, lost_after_s: float) -> JobAttempt | JobResult | None:
        """Open an attempt; or return the job's result; or None while another attempt holds the device."""

    def end_attempt(
        self,
        ticket: JobTicket,
        attempt_id: int,
        outcome: AttemptOutcome,
        *,
        reason: str = "",
        ending: Ending | None = None,
    ) -> bool:
        """Close an attempt, with the job's result if `ending` gives one; False if somebody has closed it before."""

    def close_lost_attempt(self, job_id: str, *, lost_after_s: float) -> bool:
        """Close a silent attempt at a job; True unless one is still open."""

    def add_job_result(self, ticket: JobTicket, ending: Ending) -> bool:
        """Store the result of a job; False if it has one."""

    def job_result(self, job_id: str) -> JobResult | None:
        """The result of a job."""

    def job_results(self, ids: Sequence[str]) -> tuple[JobResult, ...]:
        """Results of those of the given jobs that have one."""

    def job_attempts(self, job_id: str) -> tuple[JobAttempt, ...]:
        """All attempts at a job, the first one first."""
