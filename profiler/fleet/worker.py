"""A worker: takes jobs of its targets from the queue, one at a time, until it is told to stop.

Procrastinate hands out jobs, wakes the worker when one comes, and keeps its sign of life. It says *where a job is*; the
ledger says *how it ended*. So a job that Procrastinate hands out twice, as it may after a cut, still has one result.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import procrastinate
from procrastinate.exceptions import JobAborted, ProcrastinateException
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job as QueuedJob
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from hyctas.errors import MeasuringError, SchemaMismatch, StorageError
from hyctas.job import Ending, JobTicket
from hyctas.target import Target
from profiler.fleet.attempt import Attempts, Outdated, TryAgain
from profiler.fleet.host_lock import HostLock
from profiler.fleet.job_process import JobProcess
from profiler.fleet.ledger import Ledger
from profiler.fleet.queue import TASK, ticket_of
from profiler.fleet.queue_faults import QUEUE_FAULTS, described
from profiler.fleet.recovery import Recovery
from profiler.fleet.threads import in_thread
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
    """

    url: str
    targets: Sequence[Target]
    name: str
    command: Sequence[str]
    locks: Path
    timing: FleetTiming = field(default_factory=FleetTiming)


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
        self._at_work: dict[int, asyncio.Task[Any]] = {}
        self._worker_id: int | None = None
        self._outdated: Outdated | None = None

    def stop(self) -> None:
        """Finish the job at work, or hand it back when the grace is over, and end."""
        self._stop.set()

    async def run(self) -> None:
        """Work until told to stop; outlives any number of cuts and restarts of the database.

        Raises:
            MeasuringError: Another worker on this host serves one of the targets already.
            SchemaMismatch: A newer hyctas upgraded the database.
        """
        settings = self._settings
        asyncio.get_running_loop().set_exception_handler(_quietly)
        with _presence(settings), _device_locks(settings) as locks:
            process = JobProcess(settings.command, [lock.descriptor for lock in locks.values()])
            self._attempts = Attempts(settings.name, settings.url, self._ledger, locks, process, settings.timing)
            try:
                await self._work(process)
            finally:
                process.kill()
        if self._outdated is not None:
            raise SchemaMismatch(str(self._outdated)) from self._outdated

    async def _work(self, process: JobProcess) -> None:
        wait_s = FIRST_RECONNECT_S
        while not self._stop.is_set():
            try:
                await self._serve()
                wait_s = FIRST_RECONNECT_S
            except AWAY as error:
                _log.warning("the queue is away (%s); trying again in %.1f s", described(error), wait_s)
                process.kill()
            await self._stopped_within(wait_s)
            wait_s = min(2 * wait_s, self._settings.timing.reconnect_s)
        await process.close()

    async def _serve(self) -> None:
        """Serve until told to stop, or until the connection to the queue fails."""
        connector = PsycopgConnector(conninfo=self._settings.url, min_size=1, max_size=POOL_SIZE, timeout=OPEN_LIMIT_S)
        app = procrastinate.App(connector=connector)
        app.task(name=TASK, pass_context=True, retry=_BackIntoQueue())(self._do)
        recovery = Recovery(connector, app.job_manager, self._ledger, self._settings.timing)
        async with _opened(app):
            await self._attempts.make_up()
            serving = asyncio.create_task(self._procrastinate(app))
            checking = asyncio.create_task(self._check(connector))
            sweeping = asyncio.create_task(self._sweep(recovery))
            stopping = asyncio.create_task(self._stop.wait())
            tasks = (serving, checking, sweeping, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                await self._end(serving, forced=not stopping.done())
                for done in (checking, sweeping, serving):
                    if done.done() and not done.cancelled():
                        done.result()
            finally:
                for task in tasks:
                    task.cancel()
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

    async def _end(self, serving: asyncio.Task[None], *, forced: bool) -> None:
        """Stop Procrastinate: within the grace, or at once where the connection is gone and nothing can be finished."""
        if serving.done():
            return
        serving.cancel()
        if not forced:
            await asyncio.wait([serving])
            return
        for task in self._at_work.values():
            task.cancel()
        for _ in range(int(FORCE_LIMIT_S)):
            done, _pending = await asyncio.wait([serving], timeout=1.0)
            if done:
                return
            serving.cancel()
        _log.error("a connection to the queue does not end; it is left behind")

    async def _check(self, connector: PsycopgConnector) -> None:
        """Ask the database something now and then; raises when it does not answer in time."""
        timing = self._settings.timing
        while True:
            await asyncio.sleep(timing.heartbeat_s)
            await asyncio.wait_for(connector.execute_query_one_async("SELECT 1 AS one"), timing.lease_s)

    async def _sweep(self, recovery: Recovery) -> None:
        while True:
            await recovery.sweep(self._worker_id, self._at_work)
            await asyncio.sleep(self._settings.timing.sweep_s)

    async def _do(self, context: JobContext, *, job_id: str, document: dict[str, Any]) -> None:
        """The task: make an attempt at a job; what it raises says what is to become of the job in the queue."""
        job, task = context.job, asyncio.current_task()
        assert job.id is not None and task is not None
        self._worker_id = job.worker_id
        self._at_work[job.id] = task
        try:
            await self._attempted(context, document)
        except TryAgain as error:
            with contextlib.suppress(StorageError, TimeoutError, asyncio.CancelledError):
                now = await asyncio.wait_for(in_thread(self._ledger.server_time), self._settings.timing.lease_s)
                error.retry_at = now + timedelta(seconds=error.after_s)
            raise
        finally:
            del self._at_work[job.id]

    async def _attempted(self, context: JobContext, document: dict[str, Any]) -> None:
        ticket = ticket_of(context.job)

        def cancelled() -> bool:
            return context.abort_reason() is AbortReason.USER_REQUEST

        try:
            await self._attempts.make(ticket, document, lambda: "cancelled" if cancelled() else "handed_back")
        except asyncio.CancelledError:
            if not cancelled():
                raise TryAgain("the worker was told to stop") from None
            await self._result(ticket, Ending("cancelled", "cancelled while it ran"))
            raise JobAborted from None
        except Outdated as error:
            self._outdated = error
            self.stop()
            raise
        except StorageError as error:
            raise TryAgain(str(error), after_s=self._settings.timing.retry_s) from error
        except TryAgain:
            raise
        except Exception as error:
            _log.exception("job %s: the worker itself failed", ticket.id)
            await self._result(ticket, Ending("failed", f"the worker itself failed: {type(error).__name__}: {error}"))

    async def _result(self, ticket: JobTicket, ending: Ending) -> None:
        await in_thread(partial(self._ledger.add_job_result, ticket, ending))

    async def _stopped_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


class _BackIntoQueue(BaseRetryStrategy):
    """Puts back what raised :class:`TryAgain`, at a time by the database's clock: that of this host may be wrong."""

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        if not isinstance(exception, TryAgain):
            return None
        priority = job.priority - 1 if exception.behind else job.priority
        return RetryDecision(retry_at=exception.retry_at, priority=priority)


@asynccontextmanager
async def _opened(app: procrastinate.App) -> AsyncIterator[None]:
    """The queue's connections, closed at the end however they are."""
    try:
        await asyncio.wait_for(app.open_async(), OPEN_LIMIT_S)
        yield
    finally:
        with contextlib.suppress(*AWAY):
            await asyncio.wait_for(app.close_async(), OPEN_LIMIT_S)


@contextmanager
def _presence(settings: WorkerSettings) -> Iterator[None]:
    """Say that a worker serves these targets on this host.

    Raises:
        MeasuringError: One does already.
    """
    with ExitStack() as stack:
        for target in settings.targets:
            lock = HostLock(settings.locks, f"worker-{target.name}")
            stack.callback(lock.close)
            if not lock.take():
                raise MeasuringError(
                    f"a worker for {target} is running on this host already (pid {lock.holder()}); "
                    f"end it first, or serve another target (lock: {lock.file})"
                )
        yield


@contextmanager
def _device_locks(settings: WorkerSettings) -> Iterator[dict[str, HostLock]]:
    """The host's lock of each device, open but not taken."""
    with ExitStack() as stack:
        locks: dict[str, HostLock] = {}
        for device in dict.fromkeys(target.device for target in settings.targets):
            locks[device] = HostLock(settings.locks, f"device-{device}")
            stack.callback(locks[device].close)
        yield locks


def _quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log in one line what nobody waits for: queries that were cut off with their connection."""
    _log.warning("%s: %s", context.get("message"), context.get("exception"))
