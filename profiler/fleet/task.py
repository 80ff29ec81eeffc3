"""The task that Procrastinate runs for each job: an attempt, and what is to become of the job in the queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import procrastinate
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job as QueuedJob
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from hyctas.errors import StorageError
from hyctas.job import Ending, JobTicket
from profiler.fleet.attempt import Attempts, Outdated, TryAgain
from profiler.fleet.ledger import Ledger
from profiler.fleet.queue import TASK, ticket_of
from profiler.fleet.threads import in_thread
from profiler.fleet.timing import FleetTiming

_log: Final = logging.getLogger(__name__)


class MeasureTask:
    """Does jobs that the queue hands out.

    Attributes:
        at_work: What it does now, by number in the queue.
        worker_id: Number of the worker that the queue handed the last job to.
        outdated: What said that this hyctas is too old, or None.

    Args:
        attempts: Makes them.
        ledger: Where they are kept.
        timing: Limits.
        on_outdated: Called when this hyctas can do nothing more.
    """

    def __init__(
        self, attempts: Attempts, ledger: Ledger, timing: FleetTiming, on_outdated: Callable[[], None]
    ) -> None:
        self.at_work: dict[int, asyncio.Task[Any]] = {}
        self.worker_id: int | None = None
        self.outdated: Outdated | None = None
        self._attempts = attempts
        self._ledger = ledger
        self._timing = timing
        self._on_outdated = on_outdated

    def register(self, app: procrastinate.App) -> None:
        """Make it the task of an app."""
        app.task(name=TASK, pass_context=True, retry=_BackIntoQueue())(self._do)

    def hand_back(self) -> None:
        """Stop what is at work, in order, and put it back into the queue."""
        for task in self.at_work.values():
            task.cancel()

    async def _do(self, context: JobContext, *, job_id: str, document: dict[str, Any]) -> None:
        """The task: make an attempt at a job; what it raises says what is to become of the job in the queue."""
        job, task = context.job, asyncio.current_task()
        assert job.id is not None and task is not None
        self.worker_id = job.worker_id
        self.at_work[job.id] = task
        try:
            await self._attempted(context, document)
        except TryAgain as error:
            with contextlib.suppress(StorageError, TimeoutError, asyncio.CancelledError):
                now = await asyncio.wait_for(in_thread(self._ledger.server_time), self._timing.lease_s)
                error.retry_at = now + timedelta(seconds=error.after_s)
            raise
        finally:
            del self.at_work[job.id]

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
            self.outdated = error
            self._on_outdated()
            raise
        except StorageError as error:
            raise TryAgain(str(error), after_s=self._timing.retry_s) from error
        except TryAgain:
            raise
        except Exception as error:
            _log.exception("job %s: the worker itself failed", ticket.id)
            await self._result(ticket, Ending("failed", f"the worker itself failed: {type(error).__name__}: {error}"))

    async def _result(self, ticket: JobTicket, ending: Ending) -> None:
        await in_thread(partial(self._ledger.add_job_result, ticket, ending))


class _BackIntoQueue(BaseRetryStrategy):
    """Puts back what raised :class:`TryAgain`, at a time by the database's clock: that of this host may be wrong."""

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        if not isinstance(exception, TryAgain):
            return None
        priority = job.priority - 1 if exception.behind else job.priority
        return RetryDecision(retry_at=exception.retry_at, priority=priority)
