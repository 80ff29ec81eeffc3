"""Procrastinate's schema: made once, upgraded from an older version, and never touched where it is not ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import procrastinate
import psycopg
import pytest

from benchmarks.fleet.postgres_server import PostgresServer
from db.repository import Repository
from hyctas.errors import SchemaMismatch, StorageError
from hyctas.job import Job
from hyctas.parts import Part
from hyctas.target import parse_target
from profiler.fleet.queue import open_queue
from profiler.fleet.queue_schema import migrations, prepare_queue

pytestmark = pytest.mark.postgres

FILES = Path(procrastinate.__file__).parent / "sql" / "migrations"
OLDEST = "03.01.00_50"
"""The first version with heartbeats: what the oldest queue of hyctas could have been made by."""
CATALOGUE = """
    SELECT 'column', table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns
        WHERE table_name LIKE 'procrastinate%'
    UNION ALL SELECT 'function', proname, md5(regexp_replace(prosrc, '\\s+', '', 'g')),
        pg_get_function_identity_arguments(oid), '', '' FROM pg_proc WHERE proname LIKE 'procrastinate%'
    UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes
        WHERE tablename LIKE 'procrastinate%'
    UNION ALL SELECT 'trigger', event_object_table, trigger_name, action_statement, event_manipulation, ''
        FROM information_schema.triggers WHERE trigger_name LIKE 'procrastinate%'
    ORDER BY 1, 2, 3, 4, 5, 6
"""


def database_of(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def old_url(server: PostgresServer, url: str) -> str:
    """A queue as an older Procrastinate made it, as far as the newest change that it had."""
    names = [name for name in migrations() if name <= f"{OLDEST}~"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE hyctas_queue_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for name in names:
            connection.execute((FILES / f"{name}.sql").read_bytes())
            connection.execute("INSERT INTO hyctas_queue_migration (name) VALUES (%s)", (name,))
    return url


def test_new_schema_is_made_once(server: PostgresServer, url: str) -> None:
    assert prepare_queue(url) == migrations()
    assert prepare_queue(url) == ()
    (count,) = server.execute("SELECT count(*) FROM hyctas_queue_migration", database_of(url))
    assert count == (len(migrations()),)


def test_schema_is_made_once_by_many_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(prepare_queue, [url] * 4))
    assert sorted(map(len, made)) == [0, 0, 0, len(migrations())]


def test_older_schema_is_upgraded_to_the_one_that_a_new_database_gets(
    server: PostgresServer, url: str, old_url: str
) -> None:
    new_url = server.create_database(f"{database_of(url)}_new")
    prepare_queue(new_url)
    applied = prepare_queue(old_url)
    assert applied and all(name > OLDEST for name in applied)
    assert prepare_queue(old_url) == ()
    assert server.execute(CATALOGUE, database_of(old_url)) == server.execute(CATALOGUE, database_of(new_url))


def test_jobs_outlive_the_upgrade(server: PostgresServer, old_url: str) -> None:
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) VALUES "
    values = """('gpu/tensorrt-fp16', 'hyctas.measure', 'gpu/tensorrt-fp16', 'j1',
        '{"job_id": "j1", "document": {"version": 1, "kind": "operators", "parts": [{}]}}')"""
    server.execute(insert + values, database_of(old_url))
    prepare_queue(old_url)
    with Repository.open(old_url) as repository, open_queue(old_url, repository) as queue:
        queue.enqueue(Job("operators", parse_target("gpu/tensorrt-fp16"), (Part("conv", 8, 8, (4,), 4),)))
        assert [(job.ticket.kind, job.state) for job in queue.jobs()] == [("operators", "waiting")] * 2


def test_change_that_fails_leaves_the_queue_as_it_was(server: PostgresServer, old_url: str) -> None:
    database = database_of(old_url)
    in_the_way = "procrastinate_retry_job_v2(bigint, timestamptz, integer, varchar, varchar)"
    server.execute(f"CREATE FUNCTION {in_the_way} RETURNS integer RETURN 1", database)
    noted = "SELECT count(*) FROM hyctas_queue_migration"
    with pytest.raises(StorageError, match=r"queue postgresql://.*cannot change return type|already exists"):
        prepare_queue(old_url)
    server.execute(f"DROP FUNCTION {in_the_way}", database)
    prepare_queue(old_url)
    assert server.execute(noted, database) == [(len(migrations()),)]


def test_queue_of_a_newer_version_is_refused(server: PostgresServer, url: str) -> None:
    prepare_queue(url)
    server.execute("INSERT INTO hyctas_queue_migration (name) VALUES ('99.00.00_01_future')", database_of(url))
    with pytest.raises(SchemaMismatch, match=r"'99\.00\.00_01_future'.*upgrade hyctas and procrastinate"):
        prepare_queue(url)


def test_queue_of_others_is_left_alone(server: PostgresServer, url: str) -> None:
    server.execute("CREATE TABLE procrastinate_jobs (id int)", database_of(url))
    with pytest.raises(SchemaMismatch, match="did not make"):
        prepare_queue(url)
