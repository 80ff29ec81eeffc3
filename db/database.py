"""An open database: transactions that read or write, with every error turned into one kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from db.engine import open_engine, parse_url, sqlite_file
from db.faults import storage_errors
from db.migrating import upgrade
from hyctas.errors import StorageError


class Database:
    """A database at this version's schema.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        create: Whether a missing SQLite file is made.

    Raises:
        InvalidInput: The URL is not of these forms.
        SchemaMismatch: A newer version wrote the database.
        StorageError: It cannot be opened.
    """

    def __init__(self, url: str, *, create: bool) -> None:
        parsed = parse_url(url)
        self.place = parsed.render_as_string(hide_password=True)
        file = sqlite_file(parsed)
        if not create and file is not None and not file.exists():
            raise StorageError(f"database {self.place}: there is no such file; run hyctas profile first, or set --db")
        with storage_errors(self.place):
            self._engine = open_engine(parsed)
            self._upgrade()
        self._read_sessions = sessionmaker(self._engine)
        self._write_sessions = sessionmaker(self._engine.execution_options(sqlite_begin="IMMEDIATE"))

    @property
    def engine(self) -> Engine:
        """Where connections come from."""
        return self._engine

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _upgrade(self) -> None:
        try:
            upgrade(self._engine, self.place)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one state of the database."""
        with storage_errors(self.place), self._read_sessions() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A transaction whose queries all see one state, however long they take."""
        with self.reading() as session:
            if self._engine.dialect.name == "postgresql":
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed at the end; on SQLite it waits for other writers first."""
        with storage_errors(self.place), self._write_sessions.begin() as session:
            yield session
