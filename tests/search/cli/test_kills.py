"""``hyctas search`` in a process of its own that is killed or interrupted, and resumed to the undisturbed result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from db.records import CandidateRecord, SearchRunRecord
from db.repository import Repository
from search.training.supernet_training import load_supernet
from tests.search.cli.small_command import hyctas, options, started
from tests.search.small_search import TARGETS, TRAINING, rows, scored_after
from tests.search.world import Served, served

LIMIT_S = 120.0
PINNING = len(TARGETS)
"""Predictions that are asked for before the first generation."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")]


@dataclass(frozen=True)
class Undisturbed:
    """What a search comes to that nobody disturbs."""

    rows: tuple[CandidateRecord, ...]
    printed: dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in processes of their own, so that sums have one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def undisturbed(
    one_thread: None, modelled: Path, trained_by_command: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(trained_by_command, folder / "supernet")
    with served(f"sqlite:///{shutil.copy(modelled, folder / 'hyctas.db')}") as server:
        done = hyctas("search", *options(folder, server), "--json")
        assert done.exit_code == 0, done.stderr
        return Undisturbed(rows(server.database), json.loads(done.stdout))


def record(server: Served) -> SearchRunRecord:
    with Repository.open(server.database) as repository:
        return repository.search_run(1)


def resume(server: Served, expected: Undisturbed) -> None:
    """Resume in this process, which must come to the same result, bit for bit."""
    server.before = server.after = lambda number: None
    done = hyctas("search", "--resume", "1", "--db", server.database, "--json")
    assert done.exit_code == 0, done.stderr
    assert rows(server.database) == expected.rows
    printed = json.loads(done.stdout)
    assert {**printed, "spent_s": None} == {**expected.printed, "spent_s": None}
    assert printed["spent_s"].keys() == expected.printed["spent_s"].keys()
    assert record(server).status == "finished"


def of_generations(expected: Undisturbed, count: int) -> tuple[CandidateRecord, ...]:
    """What is stored after so many generations."""
    return tuple(replace(row, final_miou=None) for row in expected.rows[: scored_after(count)])


def at(request: int, do: Callable[[], None]) -> Callable[[int], None]:
    """Do something at one prediction."""

    def hook(number: int) -> None:
        if number == request:
            do()

    return hook


def last_request(generation: int) -> int:
    return PINNING + generation * len(TARGETS)


def ended(process: subprocess.Popen[str], code: int) -> str:
    """Wait for a process to end with that status; returns what it said."""
    printed, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, said
    assert printed == ""
    return said


def test_killed_in_training(server: Served, tmp_path: Path, undisturbed: Undisturbed) -> None:
    process = started("search", *options(tmp_path, server))
    steps = lines_of(tmp_path / "supernet" / "training.jsonl", process, at_least=TRAINING.checkpoint_every + 2)
    process.send_signal(signal.SIGKILL)
    ended(process, -signal.SIGKILL)
    assert steps < TRAINING.steps
    assert record(server).status == "running"
    resume(server, undisturbed)
    assert undisturbed.printed["supernet"] == load_supernet(tmp_path / "supernet").sha256


def lines_of(path: Path, process: subprocess.Popen[str], *, at_least: int) -> int:
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        lines = path.read_text().count("\n") if path.exists() else 0
        if lines >= at_least:
            return lines
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError(f"{path} has not {at_least} lines after {LIMIT_S} s")


def test_killed_between_generations(server: Served, supernet: Path, tmp_path: Path, undisturbed: Undisturbed) -> None:
    del supernet
    process = started("search", *options(tmp_path, server))
    server.before = at(last_request(2) + 1, process.kill)
    ended(process, -signal.SIGKILL)
    assert rows(server.database) == of_generations(undisturbed, 2)
    resume(server, undisturbed)


@pytest.mark.parametrize("generation", [1, 3])
def test_killed_in_the_middle_of_a_generation(
    server: Served, supernet: Path, tmp_path: Path, undisturbed: Undisturbed, generation: int
) -> None:
    """The last latencies of a generation are there; evaluating it takes longer than the wait before the kill."""
    del supernet
    process = started("search", *options(tmp_path, server))
    server.after = at(last_request(generation), lambda: (time.sleep(0.05), process.kill())[1])
    ended(process, -signal.SIGKILL)
    assert rows(server.database) == of_generations(undisturbed, generation - 1)
    resume(server, undisturbed)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_signal(
    server: Served, supernet: Path, tmp_path: Path, undisturbed: Undisturbed, sent: signal.Signals
) -> None:
    del supernet
    process = started("search", *options(tmp_path, server))
    server.after = at(last_request(2), lambda: (time.sleep(0.05), process.send_signal(sent))[1])
    said = ended(process, 130)
    assert f"interrupted; go on with: hyctas search --resume 1 --db {server.database}" in said
    assert said.strip().endswith("interrupted")
    assert rows(server.database) == of_generations(undisturbed, 1)
    stopped = record(server)
    assert (stopped.status, stopped.summary["ended_by"]) == ("interrupted", "KeyboardInterrupt")
    resume(server, undisturbed)


def test_a_running_search_is_not_resumed(
    server: Served, supernet: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    del supernet
    waiting, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        waiting.set()
        go_on.wait(LIMIT_S)

    process = started("search", *options(tmp_path, server), "--json")
    server.before = at(last_request(1) + 1, hold)
    assert waiting.wait(LIMIT_S)
    try:
        refused = hyctas("search", "--resume", "1", "--db", server.database)
        assert refused.exit_code == 1
        assert f"search 1 is still running as process {process.pid} on {os.uname().nodename}" in refused.stderr
        assert record(server).status == "running"
    finally:
        go_on.set()
    printed, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    assert rows(server.database) == undisturbed.rows
    assert json.loads(printed)["front"] == undisturbed.printed["front"]


def test_a_predictor_that_stays_away_longer_than_patience(
    server: Served, supernet: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    del supernet
    server.before = at(last_request(2), server.end_soon)
    done = hyctas("search", *options(tmp_path, server), "--patience", "0.2")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "the predictor does not answer; waiting up to 0 s" in done.stderr
    assert f"interrupted; go on with: hyctas search --resume 1 --db {server.database}" in done.stderr
    assert "error: no predictions for 0 s, so the search stops here" in done.stderr
    assert rows(server.database) == of_generations(undisturbed, 2)
    assert record(server).status == "interrupted"
    server.stop()
    server.start()
    resume(server, undisturbed)
