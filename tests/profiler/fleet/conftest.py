"""A PostgreSQL server for the tests of the fleet, and an empty queue on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from benchmarks.fleet.postgres_server import PostgresServer, postgres_server, server_programs
from db.repository import Repository
from profiler.fleet.queue import Queue, open_queue
from profiler.fleet.queue_schema import prepare_queue

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server that ends with the tests."""
    programs = server_programs()
    if programs is None:
        missing = "the PostgreSQL server programs (initdb, pg_ctl) are not installed: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with postgres_server(programs) as running:
        yield running


@pytest.fixture
def url(server: PostgresServer) -> str:
    """Address of a new, empty database."""
    return server.create_database(f"fleet_{os.getpid()}_{next(NUMBERS)}")


@pytest.fixture
def repository(url: str) -> Iterator[Repository]:
    """Where attempts and results are kept."""
    with Repository.open(url) as opened:
        yield opened


@pytest.fixture
def queue(url: str, repository: Repository) -> Iterator[Queue]:
    """An empty queue."""
    prepare_queue(url)
    with open_queue(url, repository) as opened:
        yield opened
