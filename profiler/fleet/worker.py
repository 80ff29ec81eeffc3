"""A worker: takes jobs of its targets from the queue, one at a time, until it is told to stop.

Procrastinate hands out jobs, wakes the worker when one comes, and keeps its sign of life. It says *where a job is*; the
ledger says *how it ended*. So a job that Procrastinate hands out twice, as it may after a cut, still has one result.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import procrastinate
from procrastinate.exceptions import ProcrastinateException
from procrastinate.psycopg_connector import PsycopgConnector

from hyctas.errors import SchemaMismatch, StorageError
from hyctas.target import Target
from profiler.fleet.attempt import Attempts
from profiler.fleet.job_process import JobProcess
from profiler.fleet.ledger import Ledger
from profiler.fleet.presence import device_locks, presence
from profiler.fleet.queue_faults import QUEUE_FAULTS, described
from profiler.fleet.recovery import Recovery
from profiler.fleet.task import MeasureTask
from profiler.fleet.timing import FleetTiming

POOL_SIZE: Final = 4
OPEN_LIMIT_S: Final = 10.0
FORCE_LIMIT_S: Final = 30.0
FIRST_RECONNECT_S: Final = 0.5
AWAY: Final = (*QUEUE_FAULTS, StorageError, OSError, TimeoutError, ProcrastinateException)
"""What is raised while the database is away."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker serves, and how.

    Attributes:
        url: Where queue and results are; see :func:`profiler.fleet.address.fleet_url`.
        targets: What it measures.
        name: Who it is, for people: host and pid.
        command: Runs the process that does jobs; see :mod:`profiler.fleet.job_server`.
        locks: Folder of the host's locks.
        timing: Limits.
        sign_of_life: A file whose time of change says when the database last answered; None for no such file.
    """

    url: str
    targets: Sequence[Target]
    name: str
    command: Sequence[str]
    locks: Path
    timing: FleetTiming = field(default_factory=FleetTiming)
    sign_of_life: Path | None = None


class FleetWorker:
    """Serves the queues of some targets; see the module.

    Args:
        settings: What it serves.
        ledger: Where attempts and results are kept.
    """

    def __init__(self, settings: WorkerSettings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._stop = asyncio.Event()
        self._task: MeasureTask | None = None

    def stop(self) -> None:
        """Finish the job at work, or hand it back when the grace is over, and end; told twice, hand it back at once."""
        if self._stop.is_set() and self._task is not None:
            self._task.hand_back()
        self._stop.set()

    async def run(self) -> None:
        """Work until told to stop; outlives any number of cuts and restarts of the database.

        Raises:
            MeasuringError: Another worker on this host serves one of the targets already.
            SchemaMismatch: A newer hyctas upgraded the database.
        """
        settings = self._settings
        asyncio.get_running_loop().set_exception_handler(_quietly)
        targets, folder = settings.targets, settings.locks
        with presence(targets, folder), device_locks(targets, folder) as locks:
            process = JobProcess(settings.command, [lock.descriptor for lock in locks.values()])
            attempts = Attempts(settings.name, settings.url, self._ledger, locks, process, settings.timing)
            task = self._task = MeasureTask(attempts, self._ledger, settings.timing, on_outdated=self.stop)
            try:
                await self._work(process, attempts, task)
            finally:
                process.kill()
        if task.outdated is not None:
            raise SchemaMismatch(str(task.outdated)) from task.outdated

    async def _work(self, process: JobProcess, attempts: Attempts, task: MeasureTask) -> None:
        clock, longest_s = asyncio.get_running_loop().time, self._settings.timing.reconnect_s
        wait_s = FIRST_RECONNECT_S
        while not self._stop.is_set():
            begun_s = clock()
            try:
                await self._serve(attempts, task)
            except AWAY as error:
                if clock() - begun_s > longest_s:
                    wait_s = FIRST_RECONNECT_S
                _log.warning("the queue is away (%s); trying again in %.1f s", described(error), wait_s)
                process.kill()
            await self._stopped_within(wait_s)
            wait_s = min(2 * wait_s, longest_s)
        await process.close()

    async def _serve(self, attempts: Attempts, task: MeasureTask) -> None:
        """Serve until told to stop, or until the connection to the queue fails."""
        connector = PsycopgConnector(conninfo=self._settings.url, min_size=1, max_size=POOL_SIZE, timeout=OPEN_LIMIT_S)
        app = procrastinate.App(connector=connector)
        task.register(app)
        recovery = Recovery(connector, app.job_manager, self._ledger, self._settings.timing)
        async with _opened(app):
            await attempts.make_up()
            serving = asyncio.create_task(self._procrastinate(app))
            checking = asyncio.create_task(self._check(connector))
            sweeping = asyncio.create_task(self._sweep(recovery, task))
            stopping = asyncio.create_task(self._stop.wait())
            tasks = (serving, checking, sweeping, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                await self._end(serving, task, forced=not stopping.done())
                for done in (checking, sweeping, serving):
                    if done.done() and not done.cancelled():
                        done.result()
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.wait(tasks, timeout=1.0)

    async def _procrastinate(self, app: procrastinate.App) -> None:
        timing = self._settings.timing
        await app.run_worker_async(
            queues=[target.name for target in self._settings.targets],
            name=self._settings.name,
            fetch_job_polling_interval=timing.sweep_s,
            abort_job_polling_interval=timing.sweep_s,
            shutdown_graceful_timeout=timing.grace_s,
            install_signal_handlers=False,
            update_heartbeat_interval=timing.heartbeat_s,
            stalled_worker_timeout=timing.lost_after_s,
        )

    async def _end(self, serving: asyncio.Task[None], task: MeasureTask, *, forced: bool) -> None:
        """Stop Procrastinate: within the grace, or at once where the connection is gone and nothing can be finished."""
        if serving.done():
            return
        serving.cancel()
        if not forced:
            await asyncio.wait([serving], timeout=self._settings.timing.grace_s + FORCE_LIMIT_S)
        task.hand_back()
        if task.at_work:
            await asyncio.wait(task.at_work.values(), timeout=FORCE_LIMIT_S)
        for _ in range(int(FORCE_LIMIT_S)):
            done, _pending = await asyncio.wait([serving], timeout=1.0)
            if done:
                return
            serving.cancel()
        _log.error("a connection to the queue does not end; it is left behind")

    async def _check(self, connector: PsycopgConnector) -> None:
        """Ask the database something now and then, and tell that it answered; raises when it does not in time."""
        timing, sign_of_life = self._settings.timing, self._settings.sign_of_life
        while True:
            await asyncio.wait_for(connector.execute_query_one_async("SELECT 1 AS one"), timing.lease_s)
            if sign_of_life is not None:
                sign_of_life.touch()
            await asyncio.sleep(timing.heartbeat_s)

    async def _sweep(self, recovery: Recovery, task: MeasureTask) -> None:
        while True:
            await recovery.sweep(task.worker_id, task.at_work)
            await asyncio.sleep(self._settings.timing.sweep_s)

    async def _stopped_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


@asynccontextmanager
async def _opened(app: procrastinate.App) -> AsyncIterator[None]:
    """The queue's connections, closed at the end however they are."""
    try:
        await asyncio.wait_for(app.open_async(), OPEN_LIMIT_S)
        yield
    finally:
        with contextlib.suppress(*AWAY):
            await asyncio.wait_for(app.close_async(), OPEN_LIMIT_S)


def _quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log in one line what nobody waits for: queries that were cut off with their connection."""
    _log.warning("%s: %s", context.get("message"), context.get("exception"))
