"""The tables and functions of Procrastinate in our database: made once, and upgraded from version to version.

Procrastinate ships its schema and one SQL file for each change of it, but does not note which of them a database has.
So the table ``hyctas_queue_migration`` does. The order of their names is the order in which they are applied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import procrastinate
import psycopg

from hyctas.errors import SchemaMismatch
from profiler.fleet.address import without_password
from profiler.fleet.queue_faults import queue_errors

_LOCK_ID: Final = 0x68796371
_SQL: Final = Path(procrastinate.__file__).with_name("sql")
_NOTED: Final = "hyctas_queue_migration"
_CREATE: Final = f"CREATE TABLE {_NOTED} (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"


def migrations(folder: Path = _SQL / "migrations") -> tuple[str, ...]:
    """Names of all changes that the installed Procrastinate knows, in order."""
    return tuple(sorted(file.stem for file in folder.glob("*.sql")))


def prepare_queue(url: str) -> tuple[str, ...]:
    """Bring the schema of the queue to that of the installed Procrastinate; changes nothing if it is there.

    Several processes may do so at once: one does, the others wait.

    Returns:
        Names of the changes that were applied; of a new schema, all.

    Raises:
        SchemaMismatch: A newer Procrastinate was here, or one that was not ours.
        StorageError: The database cannot be reached or written.
    """
    with queue_errors(url), _connection(url) as connection:
        missing = _missing(connection, url)
        if missing:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_ID,))
            missing = _missing(connection, url)
            _apply(connection, missing)
        return missing


def _missing(connection: psycopg.Connection[Any], url: str) -> tuple[str, ...]:
    """Changes that the database lacks.

    Raises:
        SchemaMismatch: It has some that are not known here, or nothing says which it has.
    """
    known = migrations()
    if not _exists(connection, _NOTED):
        if _exists(connection, "procrastinate_jobs"):
            raise SchemaMismatch(
                f"database {without_password(url)}: it holds a queue of Procrastinate that hyctas did not make; "
                "give hyctas a database of its own"
            )
        return known
    applied = {name for (name,) in connection.execute(f"SELECT name FROM {_NOTED}")}
    if unknown := sorted(applied - set(known)):
        raise SchemaMismatch(
            f"database {without_password(url)}: its queue has the change {unknown[-1]!r}, the installed Procrastinate "
            f"{procrastinate.__version__} knows up to {known[-1]!r}; upgrade hyctas and procrastinate on this host"
        )
    return tuple(name for name in known if name not in applied)


def _apply(connection: psycopg.Connection[Any], missing: Sequence[str]) -> None:
    """Apply changes, each in a transaction of its own with its note; a new schema is one transaction."""
    if not _exists(connection, _NOTED):
        with connection.transaction():
            connection.execute(_CREATE)
            connection.execute((_SQL / "schema.sql").read_bytes())
            _note(connection, missing)
        return
    for name in missing:
        with connection.transaction():
            connection.execute((_SQL / "migrations" / f"{name}.sql").read_bytes())
            _note(connection, [name])


def _note(connection: psycopg.Connection[Any], names: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {_NOTED} (name) VALUES (%s)", [(name,) for name in names])


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    (found,) = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() or (None,)
    return found is not None


@contextlib.contextmanager
def _connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in which each statement is a transaction; the lock ends with it."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
