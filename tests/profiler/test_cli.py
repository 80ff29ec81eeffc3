"""The commands: what they print, what they store, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.device import device_facts
from profiler.reference import reference_id

SIZE = ["--height", "64", "--width", "128", "--base-channels", "4"]


@pytest.fixture
def url(tmp_path: Path, target: Target, calibration: Calibration, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose target is calibrated already; on a machine of that name."""
    monkeypatch.setenv("HYCTAS_DEVICE", target.device)
    url = f"sqlite:///{tmp_path / 'measured.db'}"
    with Repository.open(url) as repository:
        repository.ensure_target(target, device_facts())
        repository.add_calibration(replace(calibration, reference_id=reference_id()))
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def stored(url: str, target: Target) -> dict[str, int]:
    with Repository.open(url) as repository:
        rows = repository.measurements(limit=None)
        return {purpose: sum(row.purpose == purpose for row in rows) for purpose in ("primary", "repeat")}


def test_targets_say_what_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYCTAS_DEVICE", "my-board")
    rows = {row["target"]: row for row in document(run("targets", "--json"))["targets"]}
    assert rows["my-board/onnxruntime-fp32-t1"] == {
        "target": "my-board/onnxruntime-fp32-t1",
        "available": True,
        "reason": None,
    }
    assert "my-board/torch-fp32-compiled-t1" in rows


def test_networks_are_measured_and_stored(url: str, target: Target) -> None:
    arguments = ("profile", "networks", "--count", "3", "--seed", "5", "--repeats", "1", "--db", url, *SIZE, "--json")
    first = document(run(*arguments))
    assert (first["kind"], first["target"], first["planned"]) == ("networks", target.name, 3)
    assert first["measured"] + first["unstable"] == 3
    with Repository.open(url) as repository:
        networks = repository.network_latencies(target, status=None)
        (record,) = repository.runs(target)
    assert len(networks) == 3
    assert all(row.latency_s and row.latency_s > 0.0 for _, row in networks)
    assert record.status == "finished"
    assert record.summary["planned"] == 3 and record.arguments["seed"] == 5
    again = document(run(*arguments))
    assert (again["already_measured"], again["remaining"]) == (first["measured"], 0)


def test_operators_are_measured_within_a_budget(url: str, target: Target) -> None:
    found = document(run("profile", "operators", "--budget-s", "2", "--db", url, *SIZE, "--json"))
    assert found["planned"] > 500
    assert 0 < found["measured"] + found["unstable"] < found["planned"]
    with Repository.open(url) as repository:
        operators = repository.operator_latencies(target, status=None)
        marginal = [row for row in repository.measurements(limit=None) if row.marginal_s is not None]
    assert operators and all(workload.kind == "operator" for workload, _ in operators)
    assert all(workload.description["kind"] == workload.operator for workload, _ in operators)
    assert marginal


def test_words_without_json(url: str) -> None:
    result = run("profile", "networks", "--count", "1", "--repeats", "0", "--db", url, *SIZE)
    assert result.exit_code == 0
    assert "run 1 on bench/onnxruntime-fp32-t1" in result.stdout
    assert "noise floor" in result.stdout and "workloads an hour" in result.stdout


def test_runtime_that_is_not_here_is_one_clear_error(url: str) -> None:
    result = run("profile", "networks", "--count", "1", "--target", "tensorrt-fp16", "--db", url, *SIZE)
    assert result.exit_code == 1
    assert "no runtime 'tensorrt' here; known: onnxruntime, torch" in result.stderr
    assert result.stdout == ""


@pytest.fixture
def started(url: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``hyctas profile operators`` as a process of its own."""

    def started(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hyctas", "profile", "operators", "--db", url, *SIZE, "--json", *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )

    return started


def wait_for_measurements(url: str, count: int, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    with Repository.open(url) as repository:
        while repository.count() < count:
            assert time.monotonic() < deadline, f"{repository.count()} measurements after {limit_s} s"
            time.sleep(0.05)


def test_interrupt_ends_in_order(url: str, target: Target, started: Callable[..., subprocess.Popen[str]]) -> None:
    with started() as process:
        wait_for_measurements(url, 1)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    found = json.loads(output)
    assert found["interrupted"] is True
    with Repository.open(url) as repository:
        (record,) = repository.runs(target)
    assert record.status == "interrupted"
    assert stored(url, target)["primary"] == found["measured"] + found["unstable"] > 0
