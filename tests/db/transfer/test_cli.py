"""``hyctas measurements export`` and ``import``, ``hyctas import csv``: what they print, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.target import Target

TABLE = (
    "kind,height,width,in_channels,out_channels,stride,attention,latency_ms,note\n"
    "conv,64,128,32,64,2,,0.31,first\n"
    "sa,64,128,32,64,1,efficient,0.91,second\n"
)


def run(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def source(fill: Callable[..., Repository], new_database: Callable[..., Repository], tmp_path: Path) -> str:
    """URL of a filled database."""
    fill(new_database("source"), "p1")
    return f"sqlite:///{tmp_path / 'source.db'}"


def test_measurements_travel_from_one_database_to_another(source: str, sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "shared.jsonl.gz"
    told = json.loads(run("measurements", "export", file, "--db", source, "--json"))
    assert (told["file"], told["records"]["measurement"]) == (str(file), 5)
    first = json.loads(run("measurements", "import", file, "--db", sqlite_url, "--json"))
    assert first["added"] == first["read"] == told["records"]
    again = run("measurements", "import", file, "--db", sqlite_url)
    assert "added nothing; 5 measurements were here already" in again
    listed = json.loads(run("measurements", "--db", sqlite_url, "--json"))
    assert listed["total"] == 5


def test_export_is_filtered(source: str, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    text = run(
        "measurements", "export", file, "--db", source, "--target", "onnxruntime-fp32-t1", "--since", "2027-01-01"
    )
    assert text == f"{file}: nothing\n"
    error = run("measurements", "export", file, "--db", source, "--target", "a100/tensorrt-fp16", code=1)
    assert "unknown target 'a100/tensorrt-fp16'" in error


def test_options_of_the_list_are_refused_before_a_command(source: str, tmp_path: Path) -> None:
    error = run("measurements", "--limit", "3", "export", tmp_path / "a.jsonl", "--db", source, code=2)
    assert "--limit goes after export" in error
    assert not (tmp_path / "a.jsonl").exists()


def test_missing_database_is_not_made_by_exporting(sqlite_url: str, tmp_path: Path) -> None:
    assert "there is no such file" in run("measurements", "export", tmp_path / "a.jsonl", "--db", sqlite_url, code=1)


def test_table_is_imported_once(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "ops.csv").write_text(TABLE)
    command = ("import", "csv", tmp_path / "ops.csv", "--target", "gtx-1080-ti/tensorrt-fp32", "--db", sqlite_url)
    first = json.loads(run(*command, "--source", "a paper", "--json"))
    assert {**first, "run": 1} == {
        "run": 1, "target": "gtx-1080-ti/tensorrt-fp32", "added": 2, "repeats": 0, "known": 0, "skipped": [],
    }  # fmt: skip
    assert run(*command) == "gtx-1080-ti/tensorrt-fp32: 0 added (0 as repeats), 2 known, 0 skipped\n"


def test_bad_rows_stop_an_import_or_are_named(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "ops.csv").write_text(TABLE + "conv,64,128,32,64,3,,0.3,\n" * 12)
    command = ("import", "csv", tmp_path / "ops.csv", "--target", "gtx-1080-ti/tensorrt-fp32", "--db", sqlite_url)
    error = run(*command, code=1)
    assert "'12 bad row(s)' is not allowed; expected rows that can be read, or --skip-bad" in error
    assert "line 4, column stride: '3' is not allowed; expected 1 or 2" in error
    assert "and 2 more" in error
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
    done = CliRunner().invoke(app, [*map(str, command), "--skip-bad", "--json"])
    told = json.loads(done.stdout)
    assert (told["added"], len(told["skipped"])) == (2, 12)
    assert "left out 12 row(s)" in done.stderr


def test_target_must_be_a_full_name(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "ops.csv").write_text(TABLE)
    error = run("import", "csv", tmp_path / "ops.csv", "--target", "tensorrt-fp32", "--db", sqlite_url, code=1)
    assert "target: 'tensorrt-fp32' is not allowed; expected <device>/" in error


KILLED_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from db.repository import Repository
from db.tables import MeasurementTable

repository = Repository(sys.argv[1])
event.listen(
    repository._database._engine, "after_cursor_execute",
    lambda connection, cursor, statement, *rest: statement.startswith("INSERT INTO measurement ")
    and os.kill(os.getpid(), signal.SIGKILL),
)
repository.merge_measurements(Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_import_leaves_nothing_half(source: str, url: str, tmp_path: Path, root: Path, target: Target) -> None:
    file = tmp_path / "shared.jsonl"
    run("measurements", "export", file, "--db", source)
    command = [sys.executable, "-c", KILLED_HALF_WAY, url, str(file)]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with Repository(url) as repository:
        assert (repository.targets(), repository.runs(), repository.count()) == ((), (), 0)
        assert repository.merge_measurements(file).added["measurement"] == 5
        assert repository.latest_calibration(target) is not None
