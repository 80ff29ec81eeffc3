"""Attempts at jobs, and their results: at most one open attempt a device, exactly one result a job.

Moments come in as `now`, by the clock of the database; see :mod:`db.server_time`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.inserting import insert_or_ignore
from db.job_tables import JobAttemptRow, JobResultRow
from hyctas.job import AttemptOutcome, Ending, JobAttempt, JobResult, JobStatus, JobTicket


def begin(
    session: Session, ticket: JobTicket, *, worker: str, lost_after_s: float, now: datetime
) -> JobAttempt | JobResult | None:
    """Open an attempt and hold the device with it.

    An open attempt whose worker gave no sign of life for `lost_after_s` is closed as lost first.

    Returns:
        The attempt; or the job's result, if it has one; or None while another attempt holds the device.
    """
    if (found := result(session, ticket.id)) is not None:
        return found
    device = ticket.target.device
    _close_silent(session, JobAttemptRow.device == device, lost_after_s=lost_after_s, now=now)
    number = session.scalar(select(func.count()).where(JobAttemptRow.job_id == ticket.id)) or 0
    row = {
        "job_id": ticket.id,
        "number": number + 1,
        "target": ticket.target.name,
        "device": device,
        "worker": worker,
        "started_at": now,
        "renewed_at": now,
        "reason": "",
    }
    made = session.scalar(insert_or_ignore(session, JobAttemptRow).values(**row).returning(JobAttemptRow.id))
    if made is None:
        return None
    if (found := result(session, ticket.id)) is not None:  # it came while this waited for the row
        session.execute(delete(JobAttemptRow).where(JobAttemptRow.id == made))
        return found
    return _attempt(session.get_one(JobAttemptRow, made))


def renew(session: Session, attempt_id: int, now: datetime) -> bool:
    """Say that an attempt goes on; False if somebody has closed it."""
    statement = (
        update(JobAttemptRow)
        .where(JobAttemptRow.id == attempt_id, JobAttemptRow.ended_at.is_(None))
        .values(renewed_at=now)
        .returning(JobAttemptRow.id)
    )
    return session.scalar(statement) is not None


def end(
    session: Session,
    ticket: JobTicket,
    attempt_id: int,
    *,
    outcome: AttemptOutcome,
    reason: str,
    ending: Ending | None,
    now: datetime,
) -> bool:
    """Close an attempt and store the job's result, if `ending` gives one; False if somebody has closed it before.

    What was closed before gives no result: its job belongs to somebody else by now.
    """
    statement = (
        update(JobAttemptRow)
        .where(JobAttemptRow.id == attempt_id, JobAttemptRow.ended_at.is_(None))
        .values(ended_at=now, outcome=outcome, reason=reason)
        .returning(JobAttemptRow.id)
    )
    if session.scalar(statement) is None:
        return False
    if ending is not None:
        add_result(session, ticket, ending, now)
    return True


def close_lost(session: Session, job_id: str, *, lost_after_s: float, now: datetime) -> bool:
    """Close the open attempt at a job if its worker gave no sign of life for so long; True unless one is still open."""
    _close_silent(session, JobAttemptRow.job_id == job_id, lost_after_s=lost_after_s, now=now)
    still_open = select(JobAttemptRow.id).where(JobAttemptRow.job_id == job_id, JobAttemptRow.ended_at.is_(None))
    return session.scalar(still_open) is None


def add_result(session: Session, ticket: JobTicket, ending: Ending, now: datetime) -> bool:
    """Store the result of a job; False, and nothing changes, if it has one."""
    row = {
        "job_id": ticket.id,
        "target": ticket.target.name,
        "kind": ticket.kind,
        "label": ticket.label,
        "status": ending.status,
        "reason": ending.reason,
        "summary": dict(ending.summary),
        "attempts": session.scalar(select(func.count()).where(JobAttemptRow.job_id == ticket.id)) or 0,
        "finished_at": now,
    }
    statement = insert_or_ignore(session, JobResultRow).values(**row).returning(JobResultRow.id)
    return session.scalar(statement) is not None


def result(session: Session, job_id: str) -> JobResult | None:
    """The result of a job."""
    row = session.scalar(select(JobResultRow).where(JobResultRow.job_id == job_id))
    return None if row is None else _result(row)


def results(session: Session, ids: Sequence[str]) -> tuple[JobResult, ...]:
    """Results of those of the given jobs that have one, in the order in which they came."""
    query = select(JobResultRow).where(JobResultRow.job_id.in_(ids)).order_by(JobResultRow.id)
    return tuple(map(_result, session.scalars(query)))


def attempts(session: Session, job_id: str) -> tuple[JobAttempt, ...]:
    """All attempts at a job, the first one first."""
    query = select(JobAttemptRow).where(JobAttemptRow.job_id == job_id).order_by(JobAttemptRow.number)
    return tuple(map(_attempt, session.scalars(query)))


def _close_silent(session: Session, which: object, *, lost_after_s: float, now: datetime) -> None:
    silent = JobAttemptRow.renewed_at < now - timedelta(seconds=lost_after_s)
    session.execute(
        update(JobAttemptRow)
        .where(which, JobAttemptRow.ended_at.is_(None), silent)  # type: ignore[arg-type]
        .values(ended_at=now, outcome="lost", reason=f"the worker gave no sign of life for {lost_after_s:g} s")
    )


def _attempt(row: JobAttemptRow) -> JobAttempt:
    return JobAttempt(
        id=row.id,
        job_id=row.job_id,
        number=row.number,
        device=row.device,
        worker=row.worker,
        started_at=row.started_at,
        renewed_at=row.renewed_at,
        ended_at=row.ended_at,
        outcome=cast(AttemptOutcome | None, row.outcome),
        reason=row.reason,
    )


def _result(row: JobResultRow) -> JobResult:
    return JobResult(
        job_id=row.job_id,
        status=cast(JobStatus, row.status),
        reason=row.reason,
        summary=row.summary,
        attempts=row.attempts,
        finished_at=row.finished_at,
    )
