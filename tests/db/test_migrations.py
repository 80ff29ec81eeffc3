"""The schema: migrations equal the tables, old databases are upgraded, foreign ones are left alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from db.engine import open_engine, parse_url
from db.migrating import METADATA, MIGRATIONS, VERSION_TABLE, current_revision, upgrade
from db.records import CandidateLatency
from db.repository import Repository
from hyctas.errors import SchemaMismatch, StorageError
from hyctas.measurement import Calibration, Measurement, Protocol
from hyctas.target import Target

DATA = Path(__file__).with_name("data")
OLD, WITH_SEARCHES = DATA / "revision_0001.sql", DATA / "revision_0002.sql"
HEAD = ScriptDirectory(str(MIGRATIONS)).get_current_head()

OPEN_AND_CLOSE = "import sys; from db.repository import Repository; Repository(sys.argv[1]).close()"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine on a new database of either kind."""
    opened = open_engine(parse_url(url))
    yield opened
    opened.dispose()


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A database as the first revision wrote it, with measurements."""
    return restored(OLD, tmp_path / "old.db")


@pytest.fixture
def file_with_searches(tmp_path: Path) -> Path:
    """A database as the second revision wrote it, with searches and candidates."""
    return restored(WITH_SEARCHES, tmp_path / "searches.db")


def restored(dump: Path, file: Path) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text())
    return file


def test_migrations_build_the_tables_that_the_code_declares(engine: Engine) -> None:
    upgrade(engine, "test")
    with engine.connect() as connection:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
        assert current_revision(connection) == HEAD


def test_revisions_form_one_line_from_the_first() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert scripts.get_heads() == [HEAD]
    assert revisions[-1] == "0001"
    assert len(revisions) == len(list((MIGRATIONS / "versions").glob("r*.py")))


def test_upgrade_in_steps_equals_upgrade_at_once(engine: Engine) -> None:
    for revision in ("0001", "0002", "head", "head"):
        upgrade(engine, "test", revision)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM latency")).scalar() == 0


def test_old_database_is_upgraded_with_all_it_holds(
    old_file: Path, target: Target, measured: Callable[..., Measurement], calibration: Calibration
) -> None:
    with Repository(f"sqlite:///{old_file}") as repository:
        (network,) = repository.network_latencies(target)
        assert repository.measurement(network[1].id) == measured("n-x", protocol=Protocol(max_rounds=15))
        assert network[1].latency_s == pytest.approx(0.0025)
        assert repository.latest_calibration(target) == calibration
        assert [row.status for row in repository.measurements()] == ["failed", "ok", "ok"]
        assert repository.model("m1").metrics == {"mape": 0.018}
        repeat = repository.add_measurement(1, measured("w", process="p9"), calibration=None)
        assert repository.measurements(after_id=repeat - 1)[0].purpose == "repeat"
    with closing(sqlite3.connect(old_file)) as connection:
        (shown,) = connection.execute("SELECT branches, latency_ms FROM network_latency").fetchall()
        assert shown == (2, pytest.approx(2.5))


def test_every_database_has_an_identity_of_its_own(old_file: Path, url: str) -> None:
    Repository(f"sqlite:///{old_file}").close()
    Repository(url).close()
    with closing(sqlite3.connect(old_file)) as connection:
        ((old,),) = connection.execute("SELECT uuid FROM database_identity").fetchall()
    engine = open_engine(parse_url(url))
    with engine.connect() as connection:
        new = connection.execute(text("SELECT uuid FROM database_identity")).scalars().one()
    engine.dispose()
    assert len(old) == len(new) == 36
    assert old != new


CANDIDATES_OF_0002 = (
    "search_run_id, generation, architecture_id, objectives, predicted_latency_s, measured_latency_s, model_id"
)


def test_old_searches_are_upgraded_with_all_that_their_candidates_say(file_with_searches: Path) -> None:
    columns = [name.strip() for name in CANDIDATES_OF_0002.split(",")]
    with closing(sqlite3.connect(file_with_searches)) as connection:
        before = connection.execute(f"SELECT {CANDIDATES_OF_0002} FROM candidate ORDER BY id").fetchall()
    with Repository(f"sqlite:///{file_with_searches}") as repository:
        first, second = repository.search_runs()
        found = [*repository.candidates(1), *repository.candidates(2)]
        assert repository.model("m1").metrics == {"mape": 0.018}
    assert (first.space, first.seed, first.status, first.reference_point) == ({"depth": 6}, 3, "finished", (1.0, -1.5))
    assert (second.space, second.seed, second.status) == ({"depth": 8}, 4, "interrupted")
    assert [(c.search_run_id, c.generation, c.architecture_key, c.miou) for c in found] == [
        (1, 0, "a-x", 0.41),
        (1, 0, "a-y", 0.38),
        (2, 0, "a-y", None),
        (2, 0, "a-x", None),
    ]
    target = "epyc-7b12/onnxruntime-fp32-t1"
    assert [c.latencies for c in found] == [
        (CandidateLatency(target, 0.0025, 0.0025, 0.0025, 0.0, "estimated", "m1", 0, 0.0026),),
        (CandidateLatency(target, 0.004, 0.004, 0.004, 0.0, "estimated", "m1", 0, None),),
        (),
        (),
    ]
    kept = [row for run in (first, second) for row in run.summary["candidates_of_revision_0002"]]
    kept = [tuple(row[name] for name in columns) for row in sorted(kept, key=lambda row: row["id"])]
    assert kept == [(*row[:3], json.loads(row[3]), *row[4:]) for row in before]


def test_upgraded_database_keeps_its_constraints(file_with_searches: Path) -> None:
    Repository(f"sqlite:///{file_with_searches}").close()
    with closing(sqlite3.connect(file_with_searches)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.execute("PRAGMA foreign_keys = ON")
        for forbidden in (
            "UPDATE architecture SET workload_id = 99",
            "UPDATE architecture SET key = 'a-x'",
            "UPDATE search_run SET status = 'lost'",
            "UPDATE candidate SET architecture_id = 1",
            "UPDATE candidate_latency SET candidate_id = 99",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(forbidden)


def test_searches_of_the_second_revision_are_upgraded_on_both_databases(engine: Engine, url: str) -> None:
    upgrade(engine, "test", "0002")
    started = "'2026-01-31 13:00:00+00'"
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO workload VALUES (1, 'n-x', 'network', 'network', '{}', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)",
            "INSERT INTO architecture VALUES (1, 'a-x', 1, '{}')",
            f"INSERT INTO search_run VALUES (1, '{{}}', '[\"t\"]', '{{}}', 0, 'running', NULL, {started}, NULL)",
            f"INSERT INTO candidate ({CANDIDATES_OF_0002}) VALUES (1, 4, 1, '{{\"miou\":0.5}}', NULL, 0.25, NULL)",
        ):
            connection.exec_driver_sql(statement)
    with Repository(url) as repository:
        (candidate,) = repository.candidates(1)
        run = repository.resume_search(1)
    assert (candidate.generation, candidate.miou) == (4, 0.5)
    assert candidate.latencies == (CandidateLatency("t", 0.25, 0.25, 0.25, 0.0, "measured", None, 0, 0.25),)
    assert run.summary["candidates_of_revision_0002"][0]["objectives"] == {"miou": 0.5}


def test_database_of_a_newer_version_is_refused_and_unchanged(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        connection.commit()
    before = old_file.read_bytes()
    with pytest.raises(SchemaMismatch, match=r"'9999'.*upgrade hyctas"):
        Repository(f"sqlite:///{old_file}")
    assert old_file.read_bytes() == before


def test_file_of_another_program_is_refused_and_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (title TEXT)")
    before = file.read_bytes()
    with pytest.raises(StorageError, match=r"another program \(bookmarks\)"):
        Repository(f"sqlite:///{file}")
    assert file.read_bytes() == before


@pytest.mark.postgres
def test_postgresql_database_may_hold_other_tables(postgres_url: str) -> None:
    engine = open_engine(parse_url(postgres_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE procrastinate_jobs (id bigint)"))
    engine.dispose()
    with Repository(postgres_url) as repository:
        assert repository.targets() == ()


@pytest.mark.postgres
def test_postgresql_tables_without_revision_are_refused(postgres_url: str) -> None:
    engine = open_engine(parse_url(postgres_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE device (id bigint)"))
    engine.dispose()
    with pytest.raises(StorageError, match=r"another program \(device\)"):
        Repository(postgres_url)


def test_failed_migration_leaves_nothing_behind(engine: Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW latency AS SELECT 1 AS one"))
    with pytest.raises(StorageError, match="latency"):
        Repository(url)
    with engine.connect() as connection:
        assert current_revision(connection) is None


def test_processes_that_open_a_new_database_together_migrate_it_once(url: str, root: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_CLOSE, url]
    children = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    failures = [child.communicate()[1] for child in children]
    assert failures == [""] * 4
    with Repository(url) as repository:
        assert repository.targets() == ()


@pytest.mark.postgres
def test_database_that_is_migrated_while_another_looks_at_it_is_no_foreign_one(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_migrates_then(connection: Connection) -> str | None:
        found = current_revision(connection)
        monkeypatch.undo()
        Repository(postgres_url).close()
        return found

    monkeypatch.setattr("db.migrating.current_revision", another_migrates_then)
    with Repository(postgres_url) as repository:
        assert repository.targets() == ()


def test_migrations_are_shipped_as_packages() -> None:
    assert (MIGRATIONS / "__init__.py").is_file()
    assert (MIGRATIONS / "versions" / "__init__.py").is_file()
