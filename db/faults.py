"""The one boundary where errors of the database and the disk become :class:`StorageError`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import SQLAlchemyError, StatementError

from hyctas.errors import HyctasError, StorageError

SQLITE_FAULTS: Final[Mapping[str, str]] = {
    "SQLITE_FULL": "the disk (or its quota) is full; free some space and run the command again",
    "SQLITE_READONLY": "the file or its folder is read-only; make both writable or choose another --db",
    "SQLITE_BUSY": "another process holds its lock; wait for it to end and run the command again",
    "SQLITE_LOCKED": "another connection holds its lock; wait for it to end and run the command again",
    "SQLITE_NOTADB": "the file is not an SQLite database; choose another --db",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy",
    "SQLITE_CANTOPEN": "the file cannot be opened; its folder must exist and be readable and writable",
    "SQLITE_PERM": "access is denied; make the file readable and writable",
    "SQLITE_IOERR": "reading or writing failed; the disk may be full or failing, or a file-size limit was reached",
}
"""By SQLite's error name, its extension (``SQLITE_IOERR_WRITE``) left off."""

POSTGRESQL_FAULTS: Final[Mapping[str, str]] = {
    "53100": "the server's disk is full",
    "53300": "the server has too many connections",
    "25006": "the server or this role is read-only",
    "42501": "this role lacks the rights",
    "55P03": "a lock is held by another process; run the command again",
    "40P01": "two processes waited for each other; run the command again",
    "3D000": "the database does not exist; create it with createdb",
    "28": "the server refused the user or the password",
    "08": "the server cannot be reached; check host, port and that it runs",
    "57": "the server is shutting down or ended the connection",
}
"""By SQLSTATE, or its class (two characters)."""


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turn what SQLAlchemy, a driver or the disk raises into one clear error.

    Args:
        place: The database's URL without its password.

    Raises:
        StorageError: The database cannot be read or written.
    """
    try:
        yield
    except HyctasError:
        raise
    except StatementError as error:
        raise StorageError(f"database {place}: {_described(error)}") from error
    except SQLAlchemyError as error:
        raise StorageError(f"database {place}: {error}") from error
    except (OverflowError, ValueError) as error:
        raise StorageError(f"database {place}: a value cannot be stored ({error})") from error
    except OSError as error:
        raise StorageError(f"database {place}: {error.strerror or error}") from error


def _described(error: StatementError) -> str:
    cause = error.orig
    sqlite_name = getattr(cause, "sqlite_errorname", None)
    sqlstate = getattr(cause, "sqlstate", None)
    known = None
    if sqlite_name is not None:
        known = SQLITE_FAULTS.get("_".join(sqlite_name.split("_")[:2]))
    elif sqlstate is not None:
        known = POSTGRESQL_FAULTS.get(sqlstate) or POSTGRESQL_FAULTS.get(sqlstate[:2])
    elif type(cause).__name__ == "OperationalError":
        known = POSTGRESQL_FAULTS["08"]
    original = " ".join(str(cause).split())
    return f"{known} ({original})" if known else original
