"""The one boundary where errors of the queue and its connections become :class:`StorageError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import psycopg_pool
from procrastinate.exceptions import ConnectorException

from hyctas.errors import StorageError
from profiler.fleet.address import without_password

QUEUE_FAULTS: Final = (ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed)
"""What is raised where the database does not answer, or not as it should."""


@contextmanager
def queue_errors(url: str) -> Iterator[None]:
    """Turn what Procrastinate and psycopg raise into one clear error.

    Raises:
        StorageError: The queue cannot be read or written.
    """
    try:
        yield
    except QUEUE_FAULTS as error:
        raise StorageError(f"queue {without_password(url)}: {described(error)}") from error


def described(error: BaseException) -> str:
    """What went wrong, in one line; Procrastinate keeps that in the cause of its error."""
    cause = error.__cause__ if isinstance(error, ConnectorException) and error.__cause__ is not None else error
    return " ".join(str(cause).split()) or type(cause).__name__
