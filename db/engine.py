"""Engines: how a database URL becomes connections of the right settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from hyctas.errors import InvalidInput

DEFAULT_URL: Final = "sqlite:///hyctas.db"
BUSY_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10
_ALLOWED: Final = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


def parse_url(text: str) -> URL:
    """Parse a database URL; a PostgreSQL one gets psycopg 3 as its driver.

    Raises:
        InvalidInput: The URL does not parse, or names another kind of database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidInput("--db", text, _ALLOWED) from None
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise InvalidInput("--db", url.render_as_string(hide_password=True), _ALLOWED)
    return url.set(drivername="postgresql+psycopg") if backend == "postgresql" else url.set(drivername="sqlite")


def sqlite_file(url: URL) -> Path | None:
    """The file behind an SQLite URL; None for one in memory and for PostgreSQL."""
    in_file = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    return Path(str(url.database)) if in_file else None


def open_engine(url: URL) -> Engine:
    """Engine whose SQLite connections check foreign keys, wait for locks and begin as asked.

    The sqlite3 module would begin transactions only before it writes, and late: a transaction that read
    first cannot wait for a lock. So it is told to begin none; each begins here, as ``IMMEDIATE`` where the
    execution option ``sqlite_begin`` says so.
    """
    if url.get_backend_name() == "postgresql":
        timeout = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
        return create_engine(url, pool_pre_ping=True, json_serializer=compact_json, connect_args=timeout)
    pool = {} if sqlite_file(url) else {"poolclass": StaticPool}
    engine = create_engine(
        url, json_serializer=compact_json, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}, **pool
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def compact_json(value: object) -> str:
    """JSON without spaces; floats in their shortest exact form, so that they read back equal.

    Raises:
        ValueError: A number is not finite; JSON has none such.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
