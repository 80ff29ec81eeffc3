"""``hyctas measurements``: what it prints for which options, and how it fails."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from db.records import WorkloadRecord
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.measurement import Failure, Measurement
from hyctas.target import Target


class Days:
    """A clock that goes on by one day a look."""

    def __init__(self) -> None:
        self.day = 0

    def __call__(self) -> datetime:
        """Return noon of the next day."""
        self.day += 1
        return datetime(2026, 1, self.day, 12, tzinfo=UTC)


@pytest.fixture
def filled(
    sqlite_url: str,
    target: Target,
    workload: Callable[..., WorkloadRecord],
    measured: Callable[..., Measurement],
    crash: Failure,
) -> str:
    """A database with three measurements, stored on 2, 3 and 4 January 2026."""
    with Repository(sqlite_url, clock=Days()) as repository:
        repository.ensure_target(target, {})
        repository.add_workloads([workload("w"), workload("sa", operator="sa", stride=1)])
        run = repository.start_run("operators", target, {})
        for measurement in (measured("w"), measured("sa"), measured("w", rounds=(), failure=crash)):
            repository.add_measurement(run, measurement, calibration=None)
    return sqlite_url


def run_command(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["measurements", *arguments])
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def listed(url: str, *arguments: str) -> list[dict[str, Any]]:
    document = json.loads(run_command("--db", url, "--json", *arguments))
    assert set(document) == {"total", "measurements"}
    rows: list[dict[str, Any]] = document["measurements"]
    return rows


def test_json_is_one_document_newest_first(filled: str) -> None:
    rows = listed(filled)
    assert [(row["operator"], row["status"], row["latency_ms"]) for row in rows] == [
        ("conv", "failed", None),
        ("sa", "ok", 3.0),
        ("conv", "ok", 3.0),
    ]
    assert rows[0]["failure_kind"] == "crash"
    assert rows[1]["created_at"] == "2026-01-03T12:00:00+00:00"
    assert rows[1]["environment"] == {"onnxruntime": "1.32.0", "host": "laboratory"}


@pytest.mark.parametrize(
    ("arguments", "operators"),
    [
        (["--operator", "sa"], ["sa"]),
        (["--status", "failed"], ["conv"]),
        (["--stride", "2", "--status", "ok"], ["conv"]),
        (["--height", "48", "--width", "96", "--c-in", "12", "--c-out", "24"], ["conv", "sa", "conv"]),
        (["--height", "49"], []),
        (["--kind", "network"], []),
        (["--run", "2"], []),
        (["--since", "2026-01-03"], ["conv", "sa"]),
        (["--until", "2026-01-03"], ["sa", "conv"]),
        (["--until", "2026-01-03T11:59"], ["conv"]),
        (["--since", "2026-01-03T12:00:00+00:00", "--until", "2026-01-03T14:00+02:00"], ["sa"]),
        (["--target", "onnxruntime-fp32-t1", "--limit", "1"], ["conv"]),
        (["--target", "epyc-7b12/onnxruntime-fp32-t1"], ["conv", "sa", "conv"]),
    ],
)
def test_filters(filled: str, arguments: list[str], operators: list[str]) -> None:
    assert [row["operator"] for row in listed(filled, *arguments)] == operators


def test_total_counts_beyond_the_limit(filled: str) -> None:
    document = json.loads(run_command("--db", filled, "--json", "--limit", "2"))
    assert (document["total"], len(document["measurements"])) == (3, 2)


def test_csv_holds_the_same_values(filled: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run_command("--db", filled, "--csv"))))
    for row, document in zip(rows, listed(filled), strict=True):
        expected = {
            key: "" if value is None else str(value)
            for key, value in document.items()
            if key not in ("environment", "engine")
        }
        assert row == expected


def test_table_shows_rows_and_their_number(filled: str) -> None:
    table = run_command("--db", filled, "--limit", "2")
    assert "failed: crash" in table
    assert "48x96" in table
    assert "2026-01-03 12:00" in table
    assert "2026-01-02" not in table
    assert table.endswith("2 of 3 measurements\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--target", "tensorrt-fp16"], 1, "known: epyc-7b12/onnxruntime-fp32-t1"),
        (["--since", "yesterday"], 1, "--since: 'yesterday' is not allowed"),
        (["--csv", "--json"], 2, "either --csv or --json"),
        (["--status", "good"], 2, "--status"),
        (["--limit", "0"], 2, "--limit"),
    ],
)
def test_bad_options_fail_on_stderr(filled: str, arguments: list[str], code: int, message: str) -> None:
    done = CliRunner().invoke(app, ["measurements", "--db", filled, *arguments], env={"COLUMNS": "200"})
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr


def test_missing_database_is_not_made(sqlite_url: str) -> None:
    done = CliRunner().invoke(app, ["measurements", "--db", sqlite_url])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no such file; run hyctas profile first" in done.stderr
