"""Insertion that leaves rows alone which exist already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.columns import Base

_CHUNK: Final = 500


def insert_or_ignore(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An insertion into `table` that does nothing where a unique value is taken."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_missing(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`; one whose unique value exists is left out, and the stored row stays as it is.

    Args:
        session: An open transaction.
        table: Where to insert.
        rows: Column values; give them in the order of their unique value, so that two processes that
            insert overlapping sets wait for each other instead of deadlocking.
    """
    statement = insert_or_ignore(session, table)
    for start in range(0, len(rows), _CHUNK):
        session.execute(statement, [dict(row) for row in rows[start : start + _CHUNK]])
