"""Tables of the jobs of a fleet: every attempt, and the one result of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base

OPEN = text("ended_at IS NULL")


class JobAttemptRow(Base):
    """One try of a worker at a job. At most one on a device is open: the unique index says who may measure there."""

    __tablename__ = "job_attempt"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        CheckConstraint(
            "outcome IN ('done', 'failed', 'lost', 'outage', 'handed_back', 'cancelled')",
            name="outcome",
        ),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        Index("uq_job_attempt_open", "device", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[str]
    number: Mapped[int]
    target: Mapped[str]
    device: Mapped[str]
    worker: Mapped[str]
    started_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    reason: Mapped[str]


class JobResultRow(Base):
    """How a job ended, once."""

    __tablename__ = "job_result"
    __table_args__ = (CheckConstraint("status IN ('succeeded', 'failed', 'cancelled')", name="status"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[str] = mapped_column(unique=True)
    target: Mapped[str]
    kind: Mapped[str]
    label: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    summary: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    finished_at: Mapped[datetime] = mapped_column(index=True)
