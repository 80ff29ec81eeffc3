"""``hyctas worker`` and ``hyctas jobs``: what they print, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.fleet.observer import Observer
from benchmarks.fleet.postgres_server import PostgresServer
from benchmarks.fleet.stage import Stage, staged
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.job_json import read_job
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.device import device_facts
from profiler.fleet.queue import Queue
from profiler.reference import reference_id

pytestmark = pytest.mark.postgres

TARGET = "gpu-1/tensorrt-fp16"
SIZE = ("--height", "64", "--width", "128", "--base-channels", "4")
END_LIMIT_S = 120.0


@pytest.fixture(autouse=True)
def db(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database, as the commands learn of it."""
    monkeypatch.setenv("HYCTAS_DB", url)
    return url


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def document(*arguments: str, stdin: str | None = None) -> dict[str, Any]:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def enqueued(*arguments: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = document("jobs", "enqueue", *arguments, "--target", TARGET, *SIZE)["jobs"]
    return made


def test_operators_are_enqueued_in_jobs_once() -> None:
    first = enqueued("operators", "--depth", "6", "--per-job", "100")
    assert len(first) > 1 and all(job["new"] for job in first)
    assert [(job["id"], job["new"]) for job in enqueued("operators", "--depth", "6", "--per-job", "100")] == [
        (job["id"], False) for job in first
    ]
    assert all(job["new"] for job in enqueued("operators", "--depth", "6", "--per-job", "100", "--label", "again"))


def test_networks_are_enqueued_sampled_or_from_a_file(tmp_path: Path) -> None:
    (sampled,) = enqueued("networks", "--count", "3", "--depth", "7", "--seed", "5", "--priority", "2")
    shown = document("jobs", "show", sampled["id"][:10])
    job = read_job(shown["job"])
    assert (shown["state"], shown["workloads"], job.kind, len(job.networks)) == ("waiting", 3, "networks", 3)
    file = tmp_path / "networks.json"
    file.write_text(json.dumps(shown["job"]["networks"]))
    (chosen,) = enqueued("networks", "--from", str(file), "--chosen")
    assert read_job(document("jobs", "show", chosen["id"])["job"]).kind == "chosen"
    refused = run("jobs", "enqueue", "networks", "--chosen", "--target", TARGET)
    assert refused.exit_code == 2


def test_jobs_are_listed_and_cancelled() -> None:
    (job,) = enqueued("networks", "--count", "1", "--depth", "7")
    assert "waiting" in run("jobs", "list").stdout
    assert document("jobs", "cancel", job["id"]) == {"id": job["id"], "cancelled": True}
    again = run("jobs", "cancel", job["id"])
    assert again.exit_code == 1 and "not cancelled: it is cancelled" in again.stdout
    (listed,) = document("jobs", "list", "--state", "cancelled", "--target", TARGET)["jobs"]
    assert listed["result"]["reason"] == "cancelled while it waited"
    assert "result: cancelled" in run("jobs", "show", job["id"]).stdout


def test_wrong_names_are_refused() -> None:
    assert "expected waiting, running" in run("jobs", "list", "--state", "lost").stderr
    assert "unknown job 'abcdef'" in run("jobs", "show", "abcdef").stderr
    assert "one machine needs none" in run("jobs", "list", "--db", "sqlite:///x.db").stderr


def test_setup_makes_all_tables_and_ends(db: str, queue: Queue) -> None:
    result = run("worker", "--setup")
    assert result.exit_code == 0 and json.loads(result.stdout) == {"queue": []}


def test_worker_serves_targets_of_its_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYCTAS_DEVICE", "here")
    assert "one or more targets of this machine" in run("worker").stderr
    refused = run("worker", "--target", "there/onnxruntime-fp32-t1")
    assert refused.exit_code == 1 and "whose device is here" in refused.stderr


@pytest.mark.slow
def test_worker_measures_what_was_enqueued(
    url: str, target: Target, calibration: Calibration, repository: Repository, tmp_path: Path
) -> None:
    repository.ensure_target(target, device_facts())
    repository.add_calibration(replace(calibration, reference_id=reference_id()))
    networks = ("networks", "--count", "1", "--depth", "6", "--budget-s", "20")
    (job,) = document("jobs", "enqueue", *networks, "--target", target.name, *SIZE)["jobs"]
    alive = tmp_path / "alive"
    own = {"HYCTAS_DEVICE": target.device, "HYCTAS_LOCKS": str(tmp_path), "HYCTAS_SIGN_OF_LIFE": str(alive)}
    environment = {**os.environ, **own, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "hyctas", "worker", "--target", target.local_name]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        deadline_s = time.monotonic() + END_LIMIT_S
        while repository.job_result(job["id"]) is None and time.monotonic() < deadline_s:
            time.sleep(0.1)
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=END_LIMIT_S)
    assert worker.returncode == 0 and target.name in said
    assert alive.exists(), "the database has answered"
    shown = document("jobs", "show", job["id"])
    assert shown["state"] == "succeeded", said
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["done"]
    (row,) = repository.runs(target)
    assert (row.id, row.arguments["job"]) == (shown["result"]["summary"]["run"], job["id"])
    assert {measurement.workload_key for measurement in repository.measurements()}


@pytest.fixture
def stage(server: PostgresServer) -> Iterator[Stage]:
    """A stage with workers in processes of their own."""
    with Observer() as observer, staged(server, observer) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the observer reads /proc")
def test_job_at_work_is_cancelled_and_the_worker_goes_on(stage: Stage) -> None:
    job = stage.job()
    (part,) = job.parts
    many = replace(job, parts=tuple(replace(part, width=part.width + 8 * n) for n in range(60)))
    first = stage.queue.enqueue(many).id
    stage.worker()
    stage.wait_for_measuring()
    assert stage.queue.cancel(stage.queue.job(first), running=True)
    (second,) = stage.enqueue(1)
    stage.wait_for_results([first, second])
    assert [(result.status, result.reason) for result in stage.results([first, second])] == [
        ("cancelled", "cancelled while it ran"),
        ("succeeded", ""),
    ]
    assert [attempt.outcome for attempt in stage.attempts(first)] == ["cancelled"]
