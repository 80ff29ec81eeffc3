"""One try of a worker at a job: hold the device, measure, and close the attempt with what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from hyctas.errors import InvalidInput, SchemaMismatch, StorageError
from hyctas.job import AttemptOutcome, Ending, JobResult, JobTicket
from hyctas.job_json import read_job
from profiler.fleet.device import HeldDevice, held_device
from profiler.fleet.giving_up import verdict
from profiler.fleet.host_lock import HostLock
from profiler.fleet.job_process import Answer, AnswerKind, JobProcess
from profiler.fleet.ledger import Ledger
from profiler.fleet.threads import in_thread
from profiler.fleet.timing import FleetTiming

OUTCOMES: Final[Mapping[AnswerKind, AttemptOutcome]] = {
    "done": "done",
    "failed": "failed",
    "outage": "outage",
    "interrupted": "handed_back",
    "outdated": "outage",
}
_log: Final = logging.getLogger(__name__)


class TryAgain(Exception):
    """The job goes back into the queue.

    Attributes:
        after_s: How long it waits there.
        behind: Whether jobs that wait already go first.
        retry_at: When it may be handed out again, by the database's clock; long ago unless that could be asked.
    """

    retry_at: datetime = datetime.fromtimestamp(0, UTC)

    def __init__(self, reason: str, *, after_s: float = 0.0, behind: bool = False) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.behind = behind


class Outdated(TryAgain):
    """The job goes back because a newer hyctas has upgraded the database; this one can do nothing more."""


@dataclass(frozen=True)
class Attempts:
    """Tries at jobs by this worker.

    Attributes:
        worker: Its name.
        url: Where the process stores what it measures.
        ledger: Where attempts and results are kept.
        locks: Of each device that it serves.
        process: What does the jobs.
        timing: Limits.
        unclosed: How attempts ended while the database was away.
    """

    worker: str
    url: str
    ledger: Ledger
    locks: Mapping[str, HostLock]
    process: JobProcess
    timing: FleetTiming
    unclosed: list[Callable[[], bool]] = field(default_factory=list)

    async def make_up(self) -> None:
        """Close what could not be closed while the database was away, unless others have taken it over.

        So a job that was measured just then is not measured again, and one that was cut short is not blamed for it.

        Raises:
            StorageError: It still is.
        """
        while self.unclosed:
            await self._soon(self.unclosed[0])
            del self.unclosed[0]

    async def make(
        self, ticket: JobTicket, document: Mapping[str, Any], stopped_as: Callable[[], AttemptOutcome]
    ) -> None:
        """Try a job; returns when it has its result.

        Cancelled, it stops the job in order and closes the attempt before it raises ``CancelledError``.

        Args:
            ticket: What names the job.
            document: What it asks for, as JSON.
            stopped_as: Says, once it is cancelled, how the attempt ended.

        Raises:
            TryAgain: It has none, and goes back into the queue.
            Outdated: Likewise, and this worker is too old to go on.
            StorageError: The database is away.
        """
        try:
            read_job(document)
        except SchemaMismatch as error:
            _log.warning("job %s is left to a newer worker: %s", ticket.id, error)
            raise TryAgain(str(error), after_s=self.timing.newer_retry_s, behind=True) from error
        except InvalidInput as error:
            await in_thread(partial(self.ledger.add_job_result, ticket, Ending("failed", str(error))))
            return
        lock = self.locks[ticket.target.device]
        async with held_device(ticket, self.ledger, lock, worker=self.worker, timing=self.timing) as held:
            if isinstance(held, JobResult):
                return
            _log.info("job %s: attempt %d", ticket.id, held.attempt.number)
            request = {"db": self.url, "id": ticket.id, "job": document}
            answer = await self._measured(ticket, held, request, stopped_as)
            await self._close(ticket, held, OUTCOMES[answer.kind], answer)
        await self._settle(ticket, answer)

    async def _measured(
        self,
        ticket: JobTicket,
        held: HeldDevice,
        request: Mapping[str, Any],
        stopped_as: Callable[[], AttemptOutcome],
    ) -> Answer:
        """Run the job for as long as the device is held."""
        running = asyncio.create_task(self.process.run(request, deadline_s=held.deadline_s))
        keeping = asyncio.create_task(held.keep(self.process.put_off))
        try:
            await asyncio.wait([running, keeping], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            self.process.kill()
            await running
            return Answer("outage", keeping.result())
        except asyncio.CancelledError:
            answer = await self.process.interrupt(running) or Answer("interrupted")
            await self._close(ticket, held, "done" if answer.kind == "done" else stopped_as(), answer)
            raise
        finally:
            keeping.cancel()

    async def _close(self, ticket: JobTicket, held: HeldDevice, outcome: AttemptOutcome, answer: Answer) -> None:
        ending = Ending("succeeded", summary=answer.summary) if outcome == "done" else None
        close = partial(self.ledger.end_attempt, ticket, held.attempt.id, outcome, reason=answer.reason, ending=ending)
        try:
            closed = await self._soon(close)
        except (StorageError, asyncio.CancelledError):
            self.unclosed.append(close)
            raise
        if not closed:
            _log.warning("job %s: another worker had taken it over; what came of it here does not count", ticket.id)

    async def _soon(self, call: Callable[[], bool]) -> bool:
        """Call what asks the database, which must answer.

        Raises:
            StorageError: It does not.
        """
        try:
            return await asyncio.wait_for(in_thread(call), self.timing.lease_s)
        except TimeoutError as error:
            raise StorageError(f"the database did not answer for {self.timing.lease_s:g} s") from error

    async def _settle(self, ticket: JobTicket, answer: Answer) -> None:
        """Return if the job has its result, or give it one if it was tried often enough; else put it back."""
        if await in_thread(partial(self.ledger.job_result, ticket.id)) is not None:
            return
        if answer.kind == "outdated":
            raise Outdated(answer.reason)
        attempts = await in_thread(partial(self.ledger.job_attempts, ticket.id))
        if (ending := verdict(attempts, self.timing)) is not None:
            _log.warning("job %s: %s", ticket.id, ending.reason)
            await in_thread(partial(self.ledger.add_job_result, ticket, ending))
            return
        raise TryAgain(answer.reason, after_s=self.timing.retry_s, behind=True)
