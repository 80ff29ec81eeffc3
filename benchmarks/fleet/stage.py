"""One database, its queue, a network that can be cut, and workers: where a fault is shown, and what came of it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.fleet.observer import Observer
from benchmarks.fleet.postgres_server import PostgresServer
from benchmarks.fleet.proxy import Proxy
from benchmarks.fleet.worker_process import QUICK_JOB, WorkerPlan
from db.repository import Repository
from hyctas.job import Job, JobAttempt, JobOptions, JobResult
from hyctas.measurement import Calibration
from hyctas.parts import Part
from hyctas.target import Target, parse_target
from profiler.fleet.queue import Queue, open_queue
from profiler.fleet.queue_schema import prepare_queue
from profiler.reference import reference_id

DEVICE: Final = "stage"
TARGETS: Final = (f"{DEVICE}/onnxruntime-fp32-t1", f"{DEVICE}/onnxruntime-fp32-t2")
LIMIT_S: Final = 240.0
LOOK_S: Final = 0.05
_NUMBERS: Final = itertools.count()


class Stuck(Exception):
    """What was waited for did not come."""


@dataclass
class Stage:
    """A stage that is set up; see :func:`staged`.

    Attributes:
        server: The database's server.
        database: Name of the database.
        repository: What is stored, seen without the network that is cut.
        queue: Likewise.
        proxy: The network between workers and the server.
        observer: Counts who measures.
        command: Runs the process that does jobs.
        folder: For the locks of hosts.
        ids: Jobs that were enqueued.
        recoveries_s: From the end of each fault to the next result.
    """

    server: PostgresServer
    database: str
    repository: Repository
    queue: Queue
    proxy: Proxy
    observer: Observer
    command: tuple[str, ...]
    folder: Path
    ids: list[str] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address of the database as workers know it."""
        return self.server.url(self.database, self.proxy.port)

    def enqueue(
        self, count: int, *, label: str = "", target: str = TARGETS[0], options: JobOptions | None = None
    ) -> list[str]:
        """Put so many jobs of one small operator each into the queue; returns their ids."""
        ids = [self.queue.enqueue(self.job(label=label, target=target, options=options)).id for _ in range(count)]
        self.ids += ids
        return ids

    def job(self, *, label: str = "", target: str = TARGETS[0], options: JobOptions | None = None) -> Job:
        """A job of one small operator that no other job has."""
        number = next(_NUMBERS)
        part = Part("conv", 8, 8 + 8 * (number // 24), (4,), 4 + number % 24)
        return Job("operators", parse_target(target), (part,), label=label, options=options or JobOptions(repeats=0))

    def worker(self, host: str = "a", **changes: Any) -> subprocess.Popen[bytes]:
        """Start a worker; those of different hosts know nothing of each other's locks."""
        log = (self.folder / f"worker-{len(self._workers)}.log").open("wb")
        values: dict[str, Any] = {"targets": TARGETS[:1], "command": self.command, **changes}
        plan = WorkerPlan(self.url, locks=str(self.folder / host), **values)
        with log:
            process = plan.start(stdout=log, stderr=log)
        self._workers.append(process)
        return process

    def logs(self) -> str:
        """What all workers said."""
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("worker-*.log")))

    def wait(self, condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until something holds.

        Raises:
            Stuck: It does not; says what the workers said last.
        """
        deadline_s = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline_s:
                raise Stuck(f"waited {limit_s:g} s for {what}; the workers said:\n{self.logs()[-4000:]}")
            time.sleep(LOOK_S)

    def wait_for_measuring(self) -> None:
        """Wait until somebody is in the middle of a job."""
        self.wait(self.observer.measuring, "a job at work")

    def wait_for_results(self, ids: Sequence[str] | None = None) -> None:
        """Wait until all jobs have their results."""
        wanted = list(self.ids if ids is None else ids)
        self.wait(lambda: len(self.results(wanted)) == len(set(wanted)), "the results of all jobs")

    def recovered(self) -> None:
        """Wait for the next result, and note how long it took."""
        before, start_s = len(self.results()), time.monotonic()
        if before < len(set(self.ids)):
            self.wait(lambda: len(self.results()) > before, "the next result")
            self.recoveries_s.append(time.monotonic() - start_s)

    def results(self, ids: Sequence[str] | None = None) -> tuple[JobResult, ...]:
        """Results so far."""
        return self.repository.job_results(self.ids if ids is None else ids)

    def attempts(self, job_id: str) -> tuple[JobAttempt, ...]:
        """All attempts at a job."""
        return self.repository.job_attempts(job_id)

    def measured_twice(self) -> int:
        """Measurements beyond the first of a workload."""
        rows = self.server.execute(
            "SELECT count(*) - count(DISTINCT (workload_id, target_id)) FROM measurement", self.database
        )
        return int(rows[0][0])

    def stop(self, process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
        """Tell a worker to end, and wait for it; returns its status."""
        process.send_signal(number)
        return process.wait(timeout=LIMIT_S)

    def close(self) -> None:
        """End all workers."""
        for process in self._workers:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.wait()


@contextlib.contextmanager
def staged(server: PostgresServer, observer: Observer, command: Sequence[str] = QUICK_JOB) -> Iterator[Stage]:
    """A new database with a calibrated target, and a proxy in front of it."""
    database = f"stage_{os.getpid()}_{next(_NUMBERS)}"
    url = server.create_database(database)
    with (
        tempfile.TemporaryDirectory() as folder,
        Proxy(server.port) as proxy,
        Repository.open(url) as repository,
    ):
        prepare_queue(url)
        for name in TARGETS:
            repository.ensure_target(parse_target(name), {})
            repository.add_calibration(_calibration(parse_target(name)))
        with open_queue(url, repository) as queue:
            stage = Stage(server, database, repository, queue, proxy, observer, tuple(command), Path(folder))
            try:
                yield stage
            finally:
                stage.close()


def _calibration(target: Target) -> Calibration:
    """Any calibration will do: what is shown is who measures, not what."""
    return Calibration(target, 1, 0.005, 0.002, "none", {"none": 0.2}, reference_id(), 3)
