"""The one clock that processes on several hosts agree on: the database server's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def server_now(session: Session, clock: Callable[[], datetime]) -> datetime:
    """The time by the server's clock; by `clock` on SQLite, which is on one machine.

    It goes on within a transaction, unlike ``now()``.
    """
    if session.get_bind().dialect.name == "sqlite":
        return clock()
    found: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return found
