"""The schema: migrations equal the tables, old databases are upgraded, foreign ones are left alone."""

from __future__ import annotations

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
from sqlalchemy import Engine, text

from db.engine import open_engine, parse_url
from db.migrating import METADATA, MIGRATIONS, VERSION_TABLE, current_revision, upgrade
from db.repository import Repository
from hyctas.errors import SchemaMismatch, StorageError
from hyctas.measurement import Calibration, Measurement, Protocol
from hyctas.target import Target

OLD = Path(__file__).with_name("data") / "revision_0001.sql"
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
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLD.read_text())
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
    for revision in ("0001", "head", "head"):
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


def test_migrations_are_shipped_as_packages() -> None:
    assert (MIGRATIONS / "__init__.py").is_file()
    assert (MIGRATIONS / "versions" / "__init__.py").is_file()
