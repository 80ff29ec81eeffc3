"""Bringing a database to this version's schema, once, whoever opens it first."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from db.columns import Base
from db.job_tables import JobResultRow
from db.search_tables import SearchRun
from hyctas.errors import SchemaMismatch, StorageError

MIGRATIONS: Final = Path(__file__).with_name("migrations")
VERSION_TABLE: Final = "hyctas_revision"
TABLES: Final = (SearchRun, JobResultRow)
"""One of each module of tables, so that all are known."""
METADATA: Final = Base.metadata
_LOCK_ID: Final = 0x68796374


def upgrade(engine: Engine, place: str, revision: str = "head") -> None:
    """Upgrade the database behind `engine`; does not write to one that is up to date.

    Args:
        engine: Where the database is.
        place: How messages name it.
        revision: Where to stop; only tests stop before the head.

    Raises:
        SchemaMismatch: A newer version wrote it.
        StorageError: It holds tables of something else.
    """
    scripts = ScriptDirectory(str(MIGRATIONS))
    with _one_snapshot(engine).connect() as connection:
        current = _checked_revision(connection, scripts, place)
    if current == scripts.get_current_head():
        return
    if engine.dialect.name == "sqlite":
        _keep_write_ahead_log(engine)
    with engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
        _checked_revision(connection, scripts, place)
        command.upgrade(_config(connection), revision)


def current_revision(connection: Connection) -> str | None:
    """The revision that the database says it is at, or None for a new one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _one_snapshot(engine: Engine) -> Engine:
    """Let all reads of a transaction see one state: between two of them another process may have made the tables."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


def _checked_revision(connection: Connection, scripts: ScriptDirectory, place: str) -> str | None:
    current = current_revision(connection)
    if current is None:
        _check_empty(connection, place)
    elif current not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaMismatch(
            f"database {place}: its schema is at revision {current!r}, this hyctas knows up to "
            f"{scripts.get_current_head()!r}; a newer version wrote it: upgrade hyctas or choose another --db"
        )
    return current


def _check_empty(connection: Connection, place: str) -> None:
    tables = set(inspect(connection).get_table_names())
    # A PostgreSQL database may be shared; an SQLite file with foreign tables belongs to another program.
    foreign = tables if connection.dialect.name == "sqlite" else tables & set(METADATA.tables)
    if foreign - {VERSION_TABLE}:
        raise StorageError(
            f"database {place}: it holds tables of another program ({', '.join(sorted(foreign)[:5])}); "
            "choose another --db"
        )


def _keep_write_ahead_log(engine: Engine) -> None:
    """Let readers and a writer work side by side; the file remembers it. Not possible inside a transaction."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode = WAL")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
