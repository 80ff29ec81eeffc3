"""The process that does jobs: it answers, is told to stop, dies, and ends itself at its deadline."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from profiler.fleet.job_process import Answer, JobProcess

SCRIPT = Path(__file__).parents[1] / "staged" / "staged_job.py"
NEVER_S = float("inf")


@pytest.fixture
async def process() -> AsyncIterator[JobProcess]:
    """A process of staged jobs."""
    opened = JobProcess((sys.executable, str(SCRIPT)))
    yield opened
    opened.kill()
    await opened.close()


async def pid_of(process: JobProcess) -> int:
    answer = await process.run({"act": "pid"}, deadline_s=NEVER_S)
    return int(answer.summary["pid"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def asleep(process: JobProcess, deadline_s: float = NEVER_S) -> asyncio.Task[Answer]:
    """A job that sleeps, begun by the time this returns: it takes a while to get there."""
    running = asyncio.create_task(process.run({"act": "sleep"}, deadline_s=deadline_s))
    await asyncio.sleep(0.3)
    return running


async def test_one_process_does_many_jobs(process: JobProcess) -> None:
    first = await pid_of(process)
    echoed = await process.run({"act": "echo", "text": "ü\n"}, deadline_s=NEVER_S)
    assert echoed == Answer("done", summary={"echo": "ü\n"})
    assert await pid_of(process) == first


async def test_what_a_job_prints_is_no_answer(process: JobProcess) -> None:
    assert (await process.run({"act": "chatter", "text": "x"}, deadline_s=NEVER_S)).summary == {"echo": "x"}


async def test_answer_may_be_large(process: JobProcess) -> None:
    answer = await process.run({"act": "large"}, deadline_s=NEVER_S)
    assert len(answer.summary["text"]) == 1_000_000


async def test_death_is_a_failed_job_and_the_next_gets_a_new_process(process: JobProcess) -> None:
    first = await pid_of(process)
    answer = await process.run({"act": "exit"}, deadline_s=NEVER_S)
    assert answer.kind == "failed" and "status 3 instead of an answer" in answer.reason
    assert await pid_of(process) != first


async def test_job_is_stopped_in_order_and_the_process_goes_on(process: JobProcess) -> None:
    first = await pid_of(process)
    running = await asleep(process)
    assert await process.interrupt(running) == Answer("interrupted")
    assert await pid_of(process) == first


async def test_killed_job_is_a_failed_one(process: JobProcess) -> None:
    running = await asleep(process)
    process.kill()
    assert "signal SIGKILL" in (await running).reason


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_process_ends_itself_when_its_deadline_passes_in_a_job(process: JobProcess) -> None:
    first = await pid_of(process)
    running = await asleep(process, deadline_s=time.monotonic() + 0.5)
    process.put_off(time.monotonic() + 1.0)
    assert "signal SIGKILL" in (await running).reason
    assert not alive(first)


async def test_deadline_of_a_finished_job_means_nothing(process: JobProcess) -> None:
    first = await pid_of(process)
    await process.run({"act": "echo"}, deadline_s=time.monotonic() + 0.5)
    await asyncio.sleep(0.8)
    assert await pid_of(process) == first


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_closing_ends_the_process(process: JobProcess) -> None:
    pid = await pid_of(process)
    await process.close()
    assert not alive(pid) and pid != os.getpid()
