"""Dropping what takes most room and is needed least: the raw rounds of old measurements, whose latencies stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from db.rounds_json import rounds_to_json
from db.tables import MeasurementTable, Run


def prune_rounds(session: Session, kind: str, *, before: datetime, now: datetime) -> int:
    """Drop the rounds of measurements of one kind of run that are older than `before`; returns of how many.

    Latency, interval and status stay as they were derived. Primary measurements keep their rounds: they are what is
    learned from, and may have to be judged anew.
    """
    runs = select(Run.id).where(Run.kind == kind)
    old = (
        MeasurementTable.run_id.in_(runs),
        MeasurementTable.created_at < before,
        MeasurementTable.purpose == "repeat",
        MeasurementTable.reported.is_(None),
        MeasurementTable.rounds_dropped_at.is_(None),
    )
    statement = update(MeasurementTable).where(*old).values(rounds=rounds_to_json(()), rounds_dropped_at=now)
    done = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)
    return done.rowcount
