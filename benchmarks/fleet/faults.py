"""The faults: what is killed, cut or done twice while jobs are at work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from benchmarks.fleet.observer import descendants
from benchmarks.fleet.stage import TARGETS, Stage
from hyctas.job import JobOptions

Fault = Callable[[Stage, int], str]
"""Does a fault so many times while a stage is at work; returns a remark, or an empty text."""
SILENCE_S: Final = 8.0
"""Longer than a worker may be silent before it has lost its job."""
BLINK_S: Final = 1.0
"""Shorter than a lease."""
SKEW_S: Final = 3600.0
NOT_STARTED: Final = 1


def worker_killed(stage: Stage, times: int) -> str:
    """SIGKILL to the worker in the middle of a job; its supervisor starts another."""
    stage.enqueue(2 * times + 2)
    for _ in range(times):
        worker = stage.worker()
        stage.wait_for_measuring()
        stage.stop(worker, signal.SIGKILL)
        stage.worker()
        stage.recovered()
        stage.close()
    stage.worker()
    return ""


def worker_terminated(stage: Stage, times: int) -> str:
    """SIGTERM in the middle of a job, with too little grace to finish: it is handed back."""
    ids = stage.enqueue(2 * times + 2)
    for _ in range(times):
        worker = stage.worker(timing={"grace_s": 0.0})
        stage.wait_for_measuring()
        status = stage.stop(worker)
        assert status == 0, status
        stage.worker()
        stage.recovered()
        stage.close()
    stage.worker()
    return f"{_count(stage, ids, 'handed_back')} handed back"


def worker_finishes(stage: Stage, times: int) -> str:
    """SIGTERM in the middle of a job, with enough grace: it is finished first."""
    stage.enqueue(2 * times + 2)
    finished = 0
    for _ in range(times):
        worker = stage.worker(timing={"grace_s": 60.0})
        stage.wait_for_measuring()
        before = len(stage.results())
        status = stage.stop(worker)
        assert status == 0, status
        finished += len(stage.results()) > before
    stage.worker()
    return f"{finished} finished before the worker ended"


def job_process_killed(stage: Stage, times: int) -> str:
    """SIGKILL to the process that does the jobs, as for want of memory; the worker goes on."""
    ids = stage.enqueue(times + 2)
    worker = stage.worker(timing={"max_failures": times + 2})
    for _ in range(times):
        stage.wait_for_measuring()
        for pid in descendants(worker.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
        stage.recovered()
    return f"{_count(stage, ids, 'failed')} attempts failed"


def worker_suspended(stage: Stage, times: int) -> str:
    """SIGSTOP to the worker for longer than its lease, while a worker on another host waits; then SIGCONT."""
    ids = stage.enqueue(3 * times + 2)
    workers = [stage.worker("a"), stage.worker("b")]
    for _ in range(times):
        stage.wait_for_measuring()
        holder = next(worker for worker in workers if stage.observer.measures_under(worker.pid))
        holder.send_signal(signal.SIGSTOP)
        stage.recovered()
        holder.send_signal(signal.SIGCONT)
    return f"{_count(stage, ids, 'lost')} attempts lost"


def connections_cut(stage: Stage, times: int) -> str:
    """The server ends all connections of the database in the middle of a job."""
    _disturb(stage, times, lambda: stage.server.cut_connections(stage.database))
    return ""


def network_silent(stage: Stage, times: int) -> str:
    """The network passes nothing on for longer than a lease, and no connection is closed."""
    _disturb(stage, times, stage.proxy.go_silent, SILENCE_S, stage.proxy.mend)
    return ""


def network_blinks(stage: Stage, times: int) -> str:
    """The network passes nothing on for less than a lease: nobody needs to notice."""
    ids = _disturb(stage, times, stage.proxy.go_silent, BLINK_S, stage.proxy.mend)
    return f"{sum(len(stage.attempts(id_)) > 1 for id_ in ids)} jobs tried again"


def network_cut(stage: Stage, times: int) -> str:
    """The network closes all connections and refuses new ones for a while."""
    _disturb(stage, times, stage.proxy.cut, SILENCE_S, stage.proxy.mend)
    return ""


def server_restarted(stage: Stage, times: int) -> str:
    """PostgreSQL dies as if its machine did, and is started again."""
    _disturb(stage, times, lambda: stage.server.stop("immediate"), BLINK_S, stage.server.start)
    return ""


def _disturb(
    stage: Stage,
    times: int,
    begin: Callable[[], object],
    lasts_s: float = 0.0,
    end: Callable[[], object] = lambda: None,
) -> Sequence[str]:
    """Disturb a worker in the middle of a job, again and again, and wait until it is at work again.

    Returns:
        The ids of the jobs that were enqueued.
    """
    ids = stage.enqueue(2 * times + 2)
    stage.worker()
    for _ in range(times):
        stage.wait_for_measuring()
        begin()
        time.sleep(lasts_s)
        end()
        stage.recovered()
    return ids


def two_workers(stage: Stage, times: int) -> str:
    """Two workers on two hosts believe that they have the device, and another one has a second target of it."""
    stage.enqueue(2 * times)
    stage.enqueue(times, target=TARGETS[1])
    stage.worker("a")
    stage.worker("b")
    stage.worker("c", targets=TARGETS[1:])
    stage.wait_for_results()
    return ""


def enqueued_twice(stage: Stage, times: int) -> str:
    """Every job is enqueued again while it waits, while it runs, and once it is done."""
    jobs = [stage.job() for _ in range(times)]
    entered = [stage.queue.enqueue(job) for _ in range(2) for job in jobs]
    stage.ids += [one.id for one in entered]
    stage.worker()
    stage.wait_for_measuring()
    entered += [stage.queue.enqueue(job) for job in jobs]
    stage.wait_for_results()
    entered += [stage.queue.enqueue(job) for job in jobs]
    return f"{len(entered)} times enqueued, {sum(one.new for one in entered)} entered"


def started_twice(stage: Stage, times: int) -> str:
    """The same worker is started again on its host."""
    stage.enqueue(times + 1)
    stage.worker()
    stage.wait_for_measuring()
    seconds = [stage.worker() for _ in range(times)]
    refused = sum(second.wait() == NOT_STARTED for second in seconds)
    return f"{refused} refused"


def clocks_wrong(stage: Stage, times: int) -> str:
    """Two hosts whose clocks are an hour fast and an hour slow; the worker with the job is killed."""
    stage.enqueue(2 * times + 2)
    workers = {host: stage.worker(host, skew_s=skew_s) for host, skew_s in (("a", SKEW_S), ("b", -SKEW_S))}
    for _ in range(times):
        stage.wait_for_measuring()
        found = [host for host, worker in workers.items() if stage.observer.measures_under(worker.pid)]
        for host in found[:1]:
            stage.stop(workers[host], signal.SIGKILL)
            stage.recovered()
            workers[host] = stage.worker(host, skew_s=SKEW_S if host == "a" else -SKEW_S)
    return ""


def poison(stage: Stage, times: int) -> str:
    """Jobs that always fail, and jobs that crash their process, among others."""
    bad = stage.enqueue(times, label="poison") + stage.enqueue(times, label="crash")
    stage.enqueue(times)
    stage.worker()
    stage.wait_for_results()
    failed = [
        result for result in stage.results(bad) if result.status == "failed" and "after 3 attempts" in result.reason
    ]
    return f"{len(failed)} given up after 3 attempts"


def newer_jobs(stage: Stage, times: int) -> str:
    """Jobs of a format that the worker does not know, until a newer worker comes."""
    newer = stage.enqueue(times, options=JobOptions(seed=1, repeats=0))
    stage.server.execute(
        "UPDATE procrastinate_jobs SET args = jsonb_set(args, '{document,version}', '2')", stage.database
    )
    plain = stage.enqueue(times)
    old = stage.worker()
    stage.wait_for_results(plain)
    waited = not stage.results(newer)
    stage.stop(old)
    stage.worker(job_format=2)
    return "left alone by the old worker" if waited else "TAKEN by the old worker"


def _count(stage: Stage, ids: list[str], outcome: str) -> int:
    return sum(attempt.outcome == outcome for id_ in ids for attempt in stage.attempts(id_))


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        fault.__name__: fault
        for fault in (
            worker_killed,
            worker_terminated,
            worker_finishes,
            job_process_killed,
            worker_suspended,
            connections_cut,
            network_silent,
            network_blinks,
            network_cut,
            server_restarted,
            two_workers,
            enqueued_twice,
            started_twice,
            clocks_wrong,
            poison,
            newer_jobs,
        )
    }
)
