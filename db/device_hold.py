"""Holding a device between hosts: an advisory lock of PostgreSQL on a connection of its own."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from db import jobs
from db.faults import storage_errors
from hyctas.errors import StorageError

_PURPOSE: Final = "hyctas device "
_END_SILENT_HOLDER: Final = text("""
    SELECT pg_terminate_backend(pg_locks.pid)
    FROM pg_locks JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
    WHERE pg_locks.locktype = 'advisory' AND pg_locks.objsubid = 1 AND pg_locks.granted
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (pg_locks.classid::bigint << 32) | pg_locks.objid::bigint = :key
        AND pg_stat_activity.state_change < clock_timestamp() - make_interval(secs => :lost_after_s)
""")


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

    def take(self, *, lost_after_s: float) -> bool:
        """Take the lock, or say through it that it is still held; False while another connection has it.

        A connection that has it but said nothing for `lost_after_s` is ended: its process was suspended, or hangs, and
        the kernel of its host would keep the connection for it for ever.
        """
        with storage_errors(self._place):
            if self._connection.execute(select(func.pg_try_advisory_lock(self._key))).scalar_one():
                return True
            self._connection.execute(_END_SILENT_HOLDER, {"key": self._key, "lost_after_s": lost_after_s})
            return False

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
