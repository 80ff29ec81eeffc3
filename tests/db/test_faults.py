"""What goes wrong with disks, locks and servers: one clear error, and the database stays whole."""

from __future__ import annotations

import ctypes
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

import db.engine
from db.records import WorkloadRecord
from db.repository import Repository
from hyctas.errors import InvalidInput, StorageError
from hyctas.measurement import Measurement, Round
from hyctas.target import Target

Measured = Callable[..., Measurement]
MakeWorkload = Callable[..., WorkloadRecord]

WRITE = """
import resource, sys
from db.records import MeasurementFilter
from db.repository import Repository
from hyctas.errors import StorageError
from hyctas.target import parse_target

if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with Repository(sys.argv[1]) as repository:
        for number in range(4000):
            repository.start_run("networks", None, {"padding": "x" * 500})
    print("no error")
except StorageError as error:
    print(error)
"""


@pytest.fixture
def filled(tmp_path: Path, target: Target, workload: MakeWorkload) -> Path:
    """An SQLite file with a target and a workload ``w``."""
    file = tmp_path / "measured.db"
    with Repository(f"sqlite:///{file}") as repository:
        repository.ensure_target(target, {})
        repository.add_workloads([workload("w")])
    return file


def assert_whole(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_full_disk_is_one_clear_error_and_loses_nothing(filled: Path, target: Target, measured: Measured) -> None:
    rounds = tuple(Round((0.003,) * 5000, (0.006,), (0.002,), 0.99) for _ in range(5))
    with pages_limited_to(pages_of(filled) + 60), Repository(f"sqlite:///{filled}") as repository:
        run = repository.start_run("operators", target, {})
        stored: list[int] = []
        with pytest.raises(StorageError, match=r"measured\.db: the disk .* is full; free some space"):
            while len(stored) < 100:
                stored.append(repository.add_measurement(run, measured("w", rounds=rounds), calibration=None))
        assert stored
        assert [row.id for row in repository.measurements()] == stored
    assert_whole(filled)
    with Repository(f"sqlite:///{filled}") as repository:
        repository.add_measurement(run, measured("w"), calibration=None)
        assert repository.count() == len(stored) + 1


def pages_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    return pages


@contextmanager
def pages_limited_to(pages: int) -> Iterator[None]:
    """Let SQLite files grow to so many pages only: what SQLite then reports is what a full disk makes it report."""

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


@pytest.mark.slow
def test_file_size_limit_is_one_clear_error_and_loses_nothing(filled: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE, f"sqlite:///{filled}", "400000"], cwd=root, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert "reading or writing failed; the disk may be full" in done.stdout or "is full" in done.stdout
    assert_whole(filled)
    with Repository(f"sqlite:///{filled}") as repository:
        assert len(repository.runs()) > 0


@pytest.mark.parametrize("folder_mode", [0o700, 0o500])
def test_read_only_file_or_folder_is_one_clear_error(filled: Path, root: Path, folder_mode: int) -> None:
    before = filled.read_bytes()
    filled.chmod(0o400)
    filled.parent.chmod(folder_mode)
    command = [sys.executable, "-c", WRITE, f"sqlite:///{filled}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, preexec_fn=obey_file_modes)
    filled.parent.chmod(0o700)
    assert done.stderr == ""
    assert "the file or its folder is read-only; make both writable" in done.stdout
    assert filled.read_bytes() == before


def obey_file_modes() -> None:
    """Make root obey the modes of files in the program that is run next: drop CAP_DAC_OVERRIDE for it."""
    drop_from_bounding_set, override_file_modes = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override_file_modes, 0, 0, 0)


def test_read_only_file_may_be_read(filled: Path, target: Target) -> None:
    with Repository(f"sqlite:///file:{filled}?mode=ro&uri=true") as repository:
        assert repository.targets() == (target,)
        with pytest.raises(StorageError, match="the file or its folder is read-only"):
            repository.start_run("operators", target, {})
    assert_whole(filled)


def test_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="its folder must exist"):
        Repository(f"sqlite:///{tmp_path}/missing/measured.db")


def test_file_of_something_else_is_refused_and_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, and longer than the hundred bytes of a header; " * 10)
    before = file.read_bytes()
    with pytest.raises(StorageError, match="not an SQLite database"):
        Repository(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_truncated_file_is_one_clear_error(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes()[:6000])
    with pytest.raises(StorageError, match=r"damaged|not an SQLite database"):
        Repository(f"sqlite:///{filled}").targets()


def test_lock_that_stays_is_one_clear_error(filled: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.engine, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Repository(f"sqlite:///{filled}") as repository:
            assert repository.targets() == (target,)
            with pytest.raises(StorageError, match="another process holds its lock"):
                repository.start_run("operators", target, {})
        other.execute("ROLLBACK")
    with Repository(f"sqlite:///{filled}") as repository:
        assert repository.runs() == ()


def test_missing_file_is_not_made_where_it_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        Repository.open(f"sqlite:///{tmp_path}/measured.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server_is_one_clear_error_without_the_password() -> None:
    with pytest.raises(StorageError, match="the server cannot be reached") as caught:
        Repository("postgresql://hyctas:secret@127.0.0.1:1/hyctas")
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_missing_postgresql_database_is_one_clear_error(postgres_socket: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        Repository(f"postgresql://hyctas@/nothing_here?host={postgres_socket}")


@pytest.mark.parametrize("url", ["mysql://me:secret@host/x", "hyctas.db", "", "sqlite", "postgresql://host:port/x"])
def test_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="expected sqlite:///FILE or postgresql://") as caught:
        Repository(url)
    assert "secret" not in str(caught.value)


def test_number_too_large_to_store_is_one_clear_error(filled: Path, workload: MakeWorkload) -> None:
    with (
        Repository(f"sqlite:///{filled}") as repository,
        pytest.raises(StorageError, match=r"cannot be stored|too large"),
    ):
        repository.add_workloads([workload("huge", macs=2**70)])
