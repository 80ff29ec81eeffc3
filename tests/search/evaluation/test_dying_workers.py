"""Processes that die, or whose parent does: what becomes of candidates, and that nobody is left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hyctas.architecture import Architecture
from search.evaluation.job import EvaluationJob
from search.evaluation.local_processes import LocalProcesses
from search.evaluation.quality import Failure, Fidelity, Quality
from search.evaluation.workers import quality_pool
from tests.search.evaluation.cluster import running_cluster
from tests.search.evaluation.faulty import deadly, plan_death
from tests.search.evaluation.tiny import SIZE, networks

FIDELITY = Fidelity()
SAMPLE = networks(6)
PARENT = """
import sys
from search.evaluation.job import EvaluationJob
from search.evaluation.quality import Fidelity
from search.evaluation.workers import quality_pool
from tests.search.evaluation.faulty import endless
from tests.search.evaluation.tiny import SIZE, networks

if __name__ == "__main__":
    with quality_pool(EvaluationJob(sys.argv[1], "", "", SIZE), processes=2, evaluate=endless) as pool:
        pool.evaluate(networks(3), Fidelity())
"""


@pytest.fixture
def folder_only(tmp_path: Path) -> EvaluationJob:
    """A job for evaluations that use nothing but its folder."""
    return EvaluationJob(str(tmp_path), "", "", SIZE)


def expected(architecture: Architecture) -> Quality:
    return Quality(int(architecture.key[:8], 16) / 2**32, ())


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], *, limit_s: float = 60.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def workers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


@pytest.mark.parametrize("place", [0, 3, 5])
def test_process_that_dies_once_costs_nothing(place: int, folder_only: EvaluationJob, tmp_path: Path) -> None:
    plan_death(tmp_path, SAMPLE[place], "once")
    told: list[None] = []
    with quality_pool(folder_only, processes=2, evaluate=deadly) as pool:
        results = pool.evaluate(SAMPLE, FIDELITY, lambda: told.append(None))
    assert results == [expected(architecture) for architecture in SAMPLE]
    assert len(told) == len(SAMPLE)


@pytest.mark.parametrize("processes", [1, 2])
def test_network_that_kills_twice_fails_alone(processes: int, folder_only: EvaluationJob, tmp_path: Path) -> None:
    plan_death(tmp_path, SAMPLE[2], "always")
    with quality_pool(folder_only, processes=processes, evaluate=deadly) as pool:
        results = pool.evaluate(SAMPLE, FIDELITY)
        again = pool.evaluate(SAMPLE[3:], FIDELITY)
    failure = results.pop(2)
    assert isinstance(failure, Failure)
    assert SAMPLE[2].key[:12] in failure.message
    assert "died, twice" in failure.message
    assert results == [expected(architecture) for index, architecture in enumerate(SAMPLE) if index != 2]
    assert again == results[2:]


def test_idle_process_that_dies_is_replaced(folder_only: EvaluationJob, tmp_path: Path) -> None:
    plan_death(tmp_path, SAMPLE[0], "once")
    (tmp_path / "died").touch()
    with LocalProcesses(folder_only, 1, deadly) as pool:
        pool.evaluate(SAMPLE[:1], FIDELITY)
        (child,) = multiprocessing.active_children()
        child.kill()
        child.join()
        assert pool.evaluate(SAMPLE, FIDELITY) == [expected(architecture) for architecture in SAMPLE]


@pytest.mark.slow
def test_worker_of_a_cluster_that_dies(folder_only: EvaluationJob, tmp_path: Path) -> None:
    with running_cluster(1) as scheduler:
        plan_death(tmp_path, SAMPLE[1], "once")
        with quality_pool(folder_only, dask=scheduler, evaluate=deadly) as pool:
            assert pool.evaluate(SAMPLE, FIDELITY) == [expected(architecture) for architecture in SAMPLE]
        plan_death(tmp_path, SAMPLE[1], "always")
        with quality_pool(folder_only, dask=scheduler, evaluate=deadly) as pool:
            results = pool.evaluate(SAMPLE[:3], FIDELITY)
    assert [isinstance(result, Failure) for result in results] == [False, True, False]
    assert isinstance(results[1], Failure)
    assert SAMPLE[1].key[:12] in results[1].message


def test_no_process_is_left_after_the_block(folder_only: EvaluationJob, tmp_path: Path) -> None:
    plan_death(tmp_path, SAMPLE[0], "once")
    with quality_pool(folder_only, processes=2, evaluate=deadly) as pool:
        pool.evaluate(SAMPLE, FIDELITY)
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


def test_no_process_is_left_after_an_error(job: EvaluationJob) -> None:
    other = replace(job, sha256="0" * 64)
    with pytest.raises(Exception, match="SHA-256"), quality_pool(other, processes=2) as pool:
        pool.evaluate(SAMPLE, FIDELITY)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_processes_end_with_their_parent(ending: signal.Signals, tmp_path: Path, root: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        try:
            assert wait_for(lambda: len(workers(tmp_path)) == 2)
            if ending == signal.SIGINT:
                os.killpg(parent.pid, ending)  # as a terminal does
            else:
                parent.send_signal(ending)
            assert parent.wait(timeout=30) != 0
            assert wait_for(lambda: not any(map(alive, workers(tmp_path))), limit_s=20.0)
            assert parent.stderr is not None
            assert parent.stderr.read().count("KeyboardInterrupt") == (ending == signal.SIGINT)
        finally:
            parent.kill()
            for pid in filter(alive, workers(tmp_path)):
                os.kill(pid, signal.SIGKILL)
