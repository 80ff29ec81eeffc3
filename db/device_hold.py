"""Holding a device between hosts: an advisory lock of PostgreSQL on a connection of its own."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from db import jobs
from db.faults import storage_errors
from hyctas.errors import StorageError

_PURPOSE: Final = "hyctas device "


class DeviceHold:
    """A connection that takes the advisory lock of a device, and keeps it until it is closed or cut.

    Attempts are renewed through the same connection, so whoever can renew still has the lock.

    Args:
        engine: Of a PostgreSQL database.
        place: How messages name it.
        device: Slug of the device.

    Raises:
        StorageError: The database is no PostgreSQL, or cannot be reached. Every method raises it then.
    """

    def __init__(self, engine: Engine, place: str, device: str) -> None:
        if engine.dialect.name != "postgresql":
            raise StorageError(f"database {place}: a device is held through PostgreSQL alone")
        self._place = place
        self._key = lock_key(device)
        with storage_errors(place):
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def take(self) -> bool:
        """Take the lock; False while another connection has it."""
        with storage_errors(self._place):
            return bool(self._connection.execute(select(func.pg_try_advisory_lock(self._key))).scalar_one())

    def renew(self, attempt_id: int) -> bool:
        """Say that an attempt goes on; False if somebody has closed it."""
        with storage_errors(self._place), Session(self._connection) as session:
            return jobs.renew(session, attempt_id, session.execute(select(func.clock_timestamp())).scalar_one())

    def close(self) -> None:
        """Close the connection, and with it give up the lock."""
        self._connection.invalidate()
        self._connection.close()


def lock_key(device: str) -> int:
    """The signed 64-bit key of a device's lock."""
    return int.from_bytes(hashlib.sha256(f"{_PURPOSE}{device}".encode()).digest()[:8], signed=True)
