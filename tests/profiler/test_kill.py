"""Runs that are killed, and runs beside each other: nothing committed is lost, nothing is measured twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.records import MeasurementRow
from db.repository import Repository
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.device import device_facts
from profiler.reference import reference_id

KILLS = 24
SECONDS_BEFORE_KILL = (0.05, 3.0)
SCRIPT = Path(__file__).parent / "staged" / "profile_quickly.py"

pytestmark = pytest.mark.slow


@pytest.fixture
def url(tmp_path: Path, target: Target, calibration: Calibration) -> str:
    """A database whose target is calibrated already."""
    url = f"sqlite:///{tmp_path / 'measured.db'}"
    with Repository.open(url) as repository:
        repository.ensure_target(target, device_facts())
        repository.add_calibration(replace(calibration, reference_id=reference_id()))
    return url


def profiler(url: str, target: Target, *, seed: int = 0, budget_s: float | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "HYCTAS_DEVICE": target.device, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(SCRIPT), url, str(seed), *([] if budget_s is None else [str(budget_s)])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def summary_of(process: subprocess.Popen[str]) -> dict[str, int]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    summary: dict[str, int] = json.loads(output)
    return summary


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill_after(process: subprocess.Popen[str], seconds: float) -> list[int]:
    """Kill a profiler; returns the processes that it had started."""
    time.sleep(seconds)
    assert process.poll() is None, process.communicate()
    started = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return started


def wait_for_end(pids: Sequence[int], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids)), "a measuring process outlived its parent"


def stored(url: str) -> Mapping[int, MeasurementRow]:
    with Repository.open(url) as repository:
        return {row.id: row for row in repository.measurements(limit=None)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_kills_lose_and_repeat_nothing(url: str, target: Target) -> None:
    rng = np.random.default_rng(0)
    before: Mapping[int, MeasurementRow] = {}
    grown, measuring = 0, 0
    for seed in range(KILLS):
        orphans = kill_after(profiler(url, target, seed=seed), rng.uniform(*SECONDS_BEFORE_KILL))
        wait_for_end(orphans)
        after = stored(url)
        assert {number: after[number] for number in before} == before
        grown, measuring = grown + (len(after) > len(before)), measuring + bool(orphans)
        before = after
    assert measuring >= KILLS // 3 and grown >= 3, (measuring, grown)

    summary = summary_of(profiler(url, target, budget_s=2.0))
    rows = list(stored(url).values())
    assert summary["already_measured"] == len(before)
    assert summary["measured"] == len(rows) - len(before) > 0
    assert {(row.purpose, row.status) for row in rows} == {("primary", "ok")}
    assert max(Counter(row.workload_key for row in rows).values()) == 1
    with Repository.open(url) as repository:
        states = Counter(run.status for run in repository.runs(target))
        assert all(len(repository.measurement(row.id).rounds) == 3 for row in rows)
    assert set(states) == {"finished", "interrupted"} and states["finished"] == 1


def test_two_profilers_on_one_file_lose_nothing(url: str, target: Target) -> None:
    processes = [profiler(url, target, seed=seed, budget_s=6.0) for seed in (1, 2)]
    summaries = [summary_of(process) for process in processes]
    rows = stored(url).values()
    by_run = Counter(row.run_id for row in rows)
    assert [by_run[summary["run"]] for summary in summaries] == [summary["measured"] for summary in summaries]
    assert all(summary["measured"] > 0 for summary in summaries)
    primary = Counter(row.workload_key for row in rows if row.purpose == "primary")
    assert max(primary.values()) == 1
    assert {row.workload_key for row in rows} == set(primary)
    met = sum(row.purpose == "repeat" for row in rows)
    assert met < len(rows) / 4, "both keep measuring the same"


def test_equal_runs_beside_each_other_lose_nothing(url: str, target: Target) -> None:
    processes = [profiler(url, target, seed=1, budget_s=3.0) for _ in range(2)]
    summaries = [summary_of(process) for process in processes]
    rows = stored(url).values()
    assert len(rows) == sum(summary["measured"] for summary in summaries) > 0
    assert max(Counter(row.workload_key for row in rows if row.purpose == "primary").values()) == 1
