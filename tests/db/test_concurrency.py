"""Several processes at once, and processes that are killed: no acknowledged row is lost, none is there twice."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from db.records import WorkloadRecord
from db.repository import Repository
from hyctas.measurement import Measurement
from hyctas.target import Target

Measured = Callable[..., Measurement]
MakeWorkload = Callable[..., WorkloadRecord]

WORKLOADS = 25
KILLS = 20

MEASURE_ALL = """
import sys
from db.repository import Repository
from hyctas.measurement import Measurement, Protocol, Round
from hyctas.target import parse_target

url, process, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
target = parse_target("epyc-7b12/onnxruntime-fp32-t1")
rounds = (Round((0.003,) * 5, (0.006,) * 5, (0.002,) * 5, 0.99),) * 5
with Repository(url) as repository:
    run = repository.start_run("operators", target, {})
    print("ready", flush=True)
    sys.stdin.readline()
    done = repository.measured_status(target, 1) if process == "resumed" else {}
    for number in range(count):
        key = f"w{number}"
        if key not in done:
            measurement = Measurement(key, target, rounds, 1e-5, Protocol(), {"load": str(number)}, process_id=process)
            print(repository.add_measurement(run, measurement, calibration=None), key, flush=True)
    repository.finish_run(run, {})
"""


class Profiler:
    """A process that stores measurements of ``w0``, ``w1``, ... and says so after each."""

    def __init__(self, url: str, process: str, count: int, root: Path) -> None:
        command = [sys.executable, "-c", MEASURE_ALL, url, process, str(count)]
        self.child = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.child.stdin is not None and self.child.stdout is not None
        self.input, self.output = self.child.stdin, self.child.stdout
        assert self.output.readline() == "ready\n"

    def start(self) -> None:
        """Let it measure."""
        self.input.write("go\n")
        self.input.flush()

    def acknowledged(self) -> list[tuple[int, str]]:
        """Numbers and workloads that it said to have stored, read until it ends."""
        lines = [line.split() for line in self.output if line.endswith("\n")]
        return [(int(number), key) for number, key in lines]

    def close(self) -> int:
        """Wait for its end; returns its exit status."""
        self.input.close()
        self.output.close()
        return self.child.wait()


@pytest.fixture
def prepared(url: str, target: Target, workload: MakeWorkload) -> str:
    """URL of a database that knows the target and the workloads ``w0``, ``w1``, ..."""
    with Repository(url) as repository:
        repository.ensure_target(target, {})
        repository.add_workloads(workload(f"w{number}") for number in range(WORKLOADS))
    return url


def test_two_profilers_on_one_database_lose_no_row(prepared: str, root: Path) -> None:
    profilers = [Profiler(prepared, f"p{number}", WORKLOADS, root) for number in range(2)]
    for profiler in profilers:
        profiler.start()
    said = [profiler.acknowledged() for profiler in profilers]
    assert [profiler.close() for profiler in profilers] == [0, 0]
    with Repository(prepared) as repository:
        rows = repository.measurements(limit=None)
    assert sorted(row.id for row in rows) == sorted(number for numbers in said for number, _ in numbers)
    assert len(rows) == 2 * WORKLOADS
    primary = [row.workload_key for row in rows if row.purpose == "primary"]
    assert sorted(primary) == sorted(f"w{number}" for number in range(WORKLOADS))


def test_threads_share_one_repository(prepared: str, target: Target, measured: Measured) -> None:
    with Repository(prepared) as repository, ThreadPoolExecutor(4) as threads:
        run = repository.start_run("operators", target, {})

        def store(number: int) -> int:
            return repository.add_measurement(run, measured(f"w{number % 5}"), calibration=None)

        numbers = list(threads.map(store, range(40)))
        rows = repository.measurements(limit=None)
        assert sorted(row.id for row in rows) == sorted(numbers)
        assert sum(row.purpose == "primary" for row in rows) == 5


@pytest.mark.slow
def test_killed_writer_loses_no_acknowledged_row_and_repeats_none(
    sqlite_url: str, target: Target, workload: MakeWorkload, root: Path
) -> None:
    count, rng = 4000, random.Random(0)
    with Repository(sqlite_url) as repository:
        repository.ensure_target(target, {})
        repository.add_workloads(workload(f"w{number}") for number in range(count))
    acknowledged: list[tuple[int, str]] = []
    for _ in range(KILLS):
        profiler = Profiler(sqlite_url, "resumed", count, root)
        profiler.start()
        acknowledged += [
            (int(number), key)
            for number, key in (profiler.output.readline().split() for _ in range(rng.randint(1, 40)))
        ]
        profiler.child.kill()
        acknowledged += profiler.acknowledged()
        assert profiler.close() == -9
    with Repository(sqlite_url) as repository:
        stored = {row.id: row.workload_key for row in repository.measurements(limit=None)}
        assert stored.items() >= set(acknowledged)
        assert len(stored) - len(acknowledged) <= KILLS
        assert len(set(stored.values())) == len(stored)
        assert len(repository.mark_interrupted()) == KILLS
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
