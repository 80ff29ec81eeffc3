"""Contract: runs, and what marks them as interrupted, on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from db.processes import current_process
from db.repository import Repository
from hyctas.errors import StorageError, UnknownTarget
from hyctas.target import Target, parse_target

START_RUN = """
import sys
from db.repository import Repository
with Repository(sys.argv[1]) as repository:
    print(repository.start_run("networks", None, {"count": 3}), flush=True)
    sys.stdin.readline()
"""


def test_run_from_start_to_finish(repository: Repository, target: Target) -> None:
    number = repository.start_run("operators", target, {"height": 192, "seed": 0})
    (running,) = repository.runs(target)
    assert (running.status, running.finished_at, dict(running.summary)) == ("running", None, {})
    repository.finish_run(number, {"measured": 12, "noise_floor": 0.013})
    (finished,) = repository.runs(target)
    assert (finished.id, finished.kind, finished.target) == (number, "operators", target)
    assert (finished.arguments, finished.summary) == (
        {"height": 192, "seed": 0},
        {"measured": 12, "noise_floor": 0.013},
    )
    assert finished.status == "finished"
    assert finished.finished_at is not None and finished.finished_at > finished.started_at


def test_runs_of_one_target_or_all(repository: Repository, target: Target) -> None:
    other = parse_target("a100/tensorrt-fp16")
    repository.ensure_target(other, {})
    numbers = [repository.start_run("networks", where, {}) for where in (target, other, None)]
    assert [run.id for run in repository.runs(other)] == numbers[1:2]
    assert [run.id for run in repository.runs()] == numbers


def test_unknown_run_or_target_is_refused(repository: Repository) -> None:
    with pytest.raises(StorageError, match="run 7 does not exist"):
        repository.finish_run(7, {})
    with pytest.raises(UnknownTarget):
        repository.start_run("networks", parse_target("a100/tensorrt-fp16"), {})


def test_run_of_a_living_process_is_not_touched(repository: Repository, url: str, root: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", START_RUN, url], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        own = repository.start_run("operators", None, {})
        assert repository.mark_interrupted() == ()
        child.kill()
    (interrupted,) = repository.mark_interrupted()
    assert (interrupted.kind, interrupted.status) == ("networks", "interrupted")
    assert {run.id: run.status for run in repository.runs()} == {own: "running", interrupted.id: "interrupted"}
    assert repository.mark_interrupted() == ()


def test_process_is_told_from_a_later_one_with_its_pid() -> None:
    from dataclasses import replace

    here = current_process()
    assert not here.surely_ended
    assert replace(here, process_start="1").surely_ended
    assert replace(here, boot_id="another boot").surely_ended
    assert not replace(here, host="elsewhere", pid=2**30).surely_ended
