"""``hyctas nightly --enqueue``: a real queue on PostgreSQL, and a real worker that measures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.fleet.postgres_server import PostgresServer
from db.records import MeasurementFilter
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.job import CANARIES
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.cli.jobs import opened
from profiler.device import device_facts
from profiler.reference import reference_id
from tests.profiler.nightly.test_cli import measured_before

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

CONFIG = """
reports = "{folder}/reports"
[judging]
witnesses = 2
second_look = 2
history = 3
[[targets]]
name = "{target}"
networks = 2
train = false
settings = {{height = 64, width = 128, base_channels = 4}}
canaries = {{operators = 3, networks = 0}}
"""


@pytest.fixture
def url(
    server: PostgresServer, target: Target, calibration: Calibration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """A database of a fleet whose target is calibrated."""
    monkeypatch.setenv("HYCTAS_LOCKS", str(tmp_path / "locks"))
    url = server.create_database(f"night_{os.getpid()}_{abs(hash(str(tmp_path)))}")
    monkeypatch.setenv("HYCTAS_DB", url)
    with Repository.open(url) as repository:
        repository.ensure_target(target, device_facts())
        repository.add_calibration(replace(calibration, reference_id=reference_id()))
    return url


@pytest.fixture
def config(tmp_path: Path, target: Target, url: str) -> Path:
    """A night of a target that this machine is not, until a worker takes its name."""
    file = tmp_path / "night.toml"
    file.write_text(CONFIG.format(folder=tmp_path, target=target.name))
    return file


def night(config: Path, label: str, *options: str, code: int = 0) -> dict[str, Any]:
    arguments = ["nightly", "--config", str(config), "--night", label, "--enqueue", *options, "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@contextmanager
def worker(target: Target, url: str) -> Iterator[None]:
    """A worker on a machine of that name."""
    command = [sys.executable, "-P", "-m", "hyctas", "worker", "--target", target.name]
    environment = {
        **os.environ,
        "HYCTAS_DEVICE": target.device,
        "HYCTAS_DB": url,
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(60.0) == 0
    finally:
        process.kill()
        process.wait(10.0)


def test_night_is_enqueued_once_and_judged_when_workers_are_done(config: Path, url: str, target: Target) -> None:
    for _ in range(2):
        waiting = night(config, "one")
        assert (waiting["state"], waiting["waiting"]) == ("waiting", 2)
    with opened(url) as (queue, _):
        jobs = queue.jobs(target=target)
    assert {(job.ticket.kind, job.ticket.label) for job in jobs} == {
        (CANARIES, f"one/look-1/process-{number}") for number in (0, 1)
    }
    with worker(target, url):
        first = night(config, "one", "--wait", "2")
        assert (first["state"], first["targets"][0]["processes"]["first_look"]) == ("quiet", 2)
        assert first["targets"][0]["filled"]["remaining"] == 2
        name = measured_before(url, target, slower=0.01)
        slower = night(config, "two", "--wait", "2", code=3)
    (found,) = slower["targets"]
    assert found["slower"] == [name]
    assert found["processes"] == {"first_look": 2, "second_look": 2}
    with opened(url) as (queue, repository):
        labels = {job.ticket.label: job.state for job in queue.jobs(target=target) if job.ticket.kind == "networks"}
        rows = repository.measurements(MeasurementFilter(target=target, kind="network"), limit=None)
    assert labels["one/missing"] == "succeeded"
    assert len({row.workload_key for row in rows}) == 2


def test_queue_needs_a_server(config: Path, tmp_path: Path) -> None:
    arguments = ["nightly", "--config", str(config), "--enqueue", "--db", f"sqlite:///{tmp_path / 'x.db'}"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "postgresql://" in result.stderr
    alone = CliRunner().invoke(app, ["nightly", "--config", str(config), "--wait", "1"])
    assert alone.exit_code == 2 and "--enqueue" in alone.stderr


def test_target_without_a_device_is_this_machines(
    config: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(config.read_text().replace(target.name, target.local_name))
    monkeypatch.setenv("HYCTAS_DEVICE", target.device)
    waiting = night(config, "one")
    assert waiting["state"] == "waiting" and [each["target"] for each in waiting["targets"]] == [target.name]
