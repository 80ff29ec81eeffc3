"""Searches: what they choose from, which process runs them, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.processes import ProcessIdentity, current_process
from db.records import RunStatus, SearchRunRecord
from db.search_tables import SearchRun
from hyctas.errors import StorageError


def start(
    session: Session,
    *,
    space: Mapping[str, Any],
    targets: Sequence[str],
    settings: Mapping[str, Any],
    seed: int,
    now: datetime,
) -> int:
    """Store a search of this process as running; returns its number."""
    row = SearchRun(
        space=dict(space),
        targets=list(targets),
        settings=dict(settings),
        seed=seed,
        status="running",
        started_at=now,
        summary={},
        **asdict(current_process()),
    )
    session.add(row)
    session.flush()
    return row.id


def resume(session: Session, search_run_id: int, *, take_over: bool) -> SearchRunRecord:
    """Make a search one of this process, and running.

    Args:
        session: An open transaction.
        search_run_id: Number of the search.
        take_over: Whether to do so even where its process may still run.

    Raises:
        StorageError: There is no such search, or another process runs it.
    """
    row = _found(session, search_run_id, lock=True)
    owner, own = _process_of(row), current_process()
    if row.status == "running" and owner != own and not owner.surely_ended and not take_over:
        raise StorageError(
            f"search {search_run_id} is still running as process {owner.pid} on {owner.host}; end that process first"
            + ("" if owner.host == own.host else f", or take the search over if {owner.host} is gone")
        )
    row.status, row.finished_at = "running", None
    for name, value in asdict(own).items():
        setattr(row, name, value)
    return _record(row)


def finish(
    session: Session, search_run_id: int, *, summary: Mapping[str, Any], status: RunStatus, now: datetime
) -> None:
    """Store how a search ended.

    Raises:
        StorageError: There is no such search.
    """
    row = _found(session, search_run_id)
    row.status, row.summary, row.finished_at = status, dict(summary), now


def set_reference_point(session: Session, search_run_id: int, point: Sequence[float]) -> None:
    """Store up to which objectives hypervolume counts.

    Raises:
        StorageError: There is no such search.
    """
    _found(session, search_run_id).reference_point = list(point)


def find(session: Session, search_run_id: int) -> SearchRunRecord:
    """The search with that number.

    Raises:
        StorageError: There is none.
    """
    return _record(_found(session, search_run_id))


def find_all(session: Session) -> tuple[SearchRunRecord, ...]:
    """All searches; oldest first."""
    return tuple(_record(row) for row in session.scalars(select(SearchRun).order_by(SearchRun.id)))


def mark_interrupted(session: Session, now: datetime) -> None:
    """Mark the running searches whose process is known to be gone."""
    for row in session.scalars(select(SearchRun).where(SearchRun.status == "running").order_by(SearchRun.id)):
        if _process_of(row).surely_ended:
            row.status, row.finished_at = "interrupted", now


def _found(session: Session, search_run_id: int, *, lock: bool = False) -> SearchRun:
    row = session.get(SearchRun, search_run_id, with_for_update=lock)
    if row is None:
        known = ", ".join(map(str, session.scalars(select(SearchRun.id).order_by(SearchRun.id)))) or "none yet"
        raise StorageError(f"search {search_run_id} does not exist; stored searches: {known}")
    return row


def _process_of(row: SearchRun) -> ProcessIdentity:
    return ProcessIdentity(row.host, row.boot_id, row.pid, row.process_start)


def _record(row: SearchRun) -> SearchRunRecord:
    return SearchRunRecord(
        id=row.id,
        space=row.space,
        targets=tuple(row.targets),
        settings=row.settings,
        seed=row.seed,
        status=cast(RunStatus, row.status),
        reference_point=None if row.reference_point is None else tuple(row.reference_point),
        started_at=row.started_at,
        finished_at=row.finished_at,
        summary=row.summary,
    )
