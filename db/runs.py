"""Runs: what was asked for, by which process, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from db import targets
from db.processes import ProcessIdentity, current_process
from db.records import RunRecord, RunStatus
from db.tables import Run, TargetRow
from hyctas.errors import StorageError
from hyctas.target import Target, parse_target


def start(session: Session, kind: str, target: Target | None, *, arguments: Mapping[str, Any], now: datetime) -> int:
    """Store a run of this process as running; returns its number.

    Raises:
        UnknownTarget: The target was not stored.
    """
    row = Run(
        kind=kind,
        target_id=None if target is None else targets.id_of(session, target),
        arguments=dict(arguments),
        status="running",
        started_at=now,
        summary={},
        **asdict(current_process()),
    )
    session.add(row)
    session.flush()
    return row.id


def finish(session: Session, run_id: int, *, summary: Mapping[str, Any], status: RunStatus, now: datetime) -> None:
    """Store how a run ended.

    Raises:
        StorageError: There is no such run.
    """
    row = session.get(Run, run_id)
    if row is None:
        raise StorageError(f"run {run_id} does not exist")
    row.status, row.summary, row.finished_at = status, dict(summary), now


def find(session: Session, target: Target | None) -> tuple[RunRecord, ...]:
    """Runs of a target, or all; oldest first."""
    query = _with_target().order_by(Run.id)
    if target is not None:
        query = query.where(TargetRow.name == target.name)
    return tuple(_record(row) for row in session.execute(query))


def mark_interrupted(session: Session, now: datetime) -> tuple[RunRecord, ...]:
    """Mark the running runs whose process is known to be gone; returns them."""
    running = session.execute(_with_target().where(Run.status == "running").order_by(Run.id)).all()
    ended = [row for row in running if _process_of(row[0]).surely_ended]
    for run, _ in ended:
        run.status, run.finished_at = "interrupted", now
    return tuple(_record(row) for row in ended)


def _with_target() -> Select[Run, str]:
    return select(Run, TargetRow.name).outerjoin(TargetRow)


def _process_of(run: Run) -> ProcessIdentity:
    return ProcessIdentity(run.host, run.boot_id, run.pid, run.process_start)


def _record(row: Row[Run, str]) -> RunRecord:
    run, target = row
    return RunRecord(
        id=run.id,
        kind=run.kind,
        target=None if target is None else parse_target(target),
        arguments=run.arguments,
        status=cast(RunStatus, run.status),
        started_at=run.started_at,
        finished_at=run.finished_at,
        summary=run.summary,
        origin=run.origin,
    )
