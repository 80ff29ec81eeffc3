"""Jobs whose worker is gone: they go back into the queue, or get the result that they were owed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from procrastinate.jobs import Job as QueuedJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.psycopg_connector import PsycopgConnector

from hyctas.job import Ending
from profiler.fleet.giving_up import verdict
from profiler.fleet.ledger import Ledger
from profiler.fleet.queue import TASK, ticket_of
from profiler.fleet.threads import in_thread
from profiler.fleet.timing import FleetTiming

_LOCK_ID: Final = 0x68796372
_log: Final = logging.getLogger(__name__)


@dataclass
class Recovery:
    """Looks for jobs that are out but that nobody does; every worker does so, one at a time.

    A job is such if its worker gave no sign of life to the queue, or has left it; or if it is out to this very worker,
    which does not do it: that happens when the connection is cut while the queue is told of its end.

    Attributes:
        connector: The queue's connections.
        manager: The queue.
        ledger: Where attempts and results are kept.
        timing: Limits.
    """

    connector: PsycopgConnector
    manager: JobManager
    ledger: Ledger
    timing: FleetTiming
    _suspects: set[int] = field(default_factory=set)

    async def sweep(self, worker_id: int | None, at_work: Collection[int]) -> None:
        """Look once.

        Args:
            worker_id: Number of this worker in the queue.
            at_work: Numbers, in the queue, of the jobs that it does.
        """
        async with self.connector.pool.connection() as connection, connection.transaction():
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK_ID,))
            if await cursor.fetchone() != (True,):
                return
            silent = await self.manager.get_stalled_jobs(
                task_name=TASK, seconds_since_heartbeat=self.timing.lost_after_s
            )
            for job in [*silent, *await self._forgotten(worker_id, at_work)]:
                await self._recover(job)
            await self._put_back_owed()

    async def _forgotten(self, worker_id: int | None, at_work: Collection[int]) -> Iterable[QueuedJob]:
        """Jobs out to this worker that it does not do; seen twice, since one may just be on its way."""
        if worker_id is None:
            return ()
        out = await self.manager.list_jobs_async(task=TASK, status=Status.DOING.value, worker_id=worker_id)
        idle = {job.id: job for job in out if job.id is not None and job.id not in at_work}
        seen_twice = [job for number, job in idle.items() if number in self._suspects]
        self._suspects = set(idle)
        return seen_twice

    async def _put_back_owed(self) -> None:
        """Put jobs back that the queue has closed though they have no result.

        That happens where an error of the connection is what Procrastinate hears of an attempt.
        """
        closed = [
            job
            for status in (Status.FAILED, Status.ABORTED)
            for job in await self.manager.list_jobs_async(task=TASK, status=status.value)
        ]
        ids = list({ticket_of(job).id for job in closed})
        known = {result.job_id for result in await in_thread(partial(self.ledger.job_results, ids))} if ids else set()
        for job in closed:
            if ticket_of(job).id in known or await self._is_in_queue(job):
                continue
            _log.warning("job %s: closed without a result; it goes back into the queue", ticket_of(job).id)
            again = job.evolve(id=None, status=None, scheduled_at=None, attempts=0, worker_id=None)
            await self.manager.defer_job_async(again)

    async def _is_in_queue(self, job: QueuedJob) -> bool:
        same = await self.manager.list_jobs_async(task=TASK, queueing_lock=job.queueing_lock)
        return any(each.status in (Status.TODO.value, Status.DOING.value) for each in same)

    async def _recover(self, job: QueuedJob) -> None:
        ticket = ticket_of(job)
        assert job.id is not None
        if not await in_thread(
            partial(self.ledger.close_lost_attempt, ticket.id, lost_after_s=self.timing.lost_after_s)
        ):
            return
        ending = None
        if await in_thread(partial(self.ledger.job_result, ticket.id)) is None:
            attempts = await in_thread(partial(self.ledger.job_attempts, ticket.id))
            ending = verdict(attempts, self.timing)
            if job.abort_requested:
                ending = Ending("cancelled", "cancelled while it ran")
            if ending is None:
                _log.warning("job %s: its worker is gone; it goes back into the queue", ticket.id)
                await self.manager.retry_job_by_id_async(job.id, retry_at=await self._now(), priority=job.priority)
                return
            _log.warning("job %s: %s", ticket.id, ending.reason)
            await in_thread(partial(self.ledger.add_job_result, ticket, ending))
        await self.manager.finish_job_by_id_async(job.id, Status.SUCCEEDED, delete_job=False)

    async def _now(self) -> datetime:
        return await in_thread(self.ledger.server_time)
