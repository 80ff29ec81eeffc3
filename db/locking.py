"""Keeping other writers away while measurements are merged or imported."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

_LOCK: Final = text("LOCK TABLE measurement, calibration, run IN SHARE ROW EXCLUSIVE MODE")


def hold_measurements(session: Session) -> None:
    """Keep others from writing measurements until the transaction ends; they can read all the time.

    On SQLite a writing transaction does that already.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK)
