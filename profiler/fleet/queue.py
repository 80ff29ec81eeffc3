"""The queue as those who fill and watch it see it: jobs go in once, and can be listed and cancelled.

Each target has a queue of its own, so that a worker is never handed what it cannot measure; workers of one device
exclude one another by the device's lock (:mod:`profiler.fleet.device`), whatever targets they serve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job as QueuedJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.sql import queries

from hyctas.errors import UnknownJob
from hyctas.job import Ending, Job, JobResult, JobTicket
from hyctas.job_json import job_to_json, ticket
from hyctas.target import Target, parse_target
from profiler.fleet.ledger import Ledger
from profiler.fleet.queue_faults import queue_errors

TASK: Final = "hyctas.measure"
State = Literal["waiting", "running", "succeeded", "failed", "cancelled"]
STATES: Final[tuple[State, ...]] = ("waiting", "running", "succeeded", "failed", "cancelled")
_WAITING_OR_RUNNING: Final[dict[str, State]] = {Status.TODO.value: "waiting", Status.DOING.value: "running"}
_CLOSED: Final = [Status.SUCCEEDED.value, Status.FAILED.value, Status.CANCELLED.value, Status.ABORTED.value]
_PREFIX: Final = 4


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as the queue and the ledger know it.

    Attributes:
        ticket: What names it.
        state: Where it stands.
        tries: How often the queue has handed it out before.
        workloads: How many operators and networks it names.
        result: Its result, if it has one.
    """

    ticket: JobTicket
    state: State
    tries: int
    workloads: int
    result: JobResult | None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a job that was to be enqueued.

    Attributes:
        id: Its id.
        state: Where it stands now.
        new: Whether this put it into the queue; False if it was there, or done, before.
    """

    id: str
    state: State
    new: bool


class Queue:
    """Jobs of all targets.

    Args:
        url: Where it is; see :func:`profiler.fleet.address.fleet_url`.
        ledger: Where results are kept.
        manager: Procrastinate's side of it.
    """

    def __init__(self, url: str, ledger: Ledger, manager: JobManager) -> None:
        self._url = url
        self._ledger = ledger
        self._manager = manager

    def enqueue(self, job: Job, *, priority: int = 0) -> Enqueued:
        """Put a job into the queue of its target, unless an equal one is there or has its result.

        Args:
            job: What to do.
            priority: Of the jobs of a target, those of higher priority come first.
        """
        named = ticket(job)
        if (result := self._ledger.job_result(named.id)) is not None:
            return Enqueued(named.id, result.status, new=False)
        with queue_errors(self._url):
            if (found := self._in_queue(named.id)) is not None:
                return Enqueued(named.id, _WAITING_OR_RUNNING[found.status or ""], new=False)
            waiting = QueuedJob(
                queue=named.target.name,
                lock=named.target.name,
                queueing_lock=named.id,
                task_name=TASK,
                task_kwargs={"job_id": named.id, "document": job_to_json(job)},
                priority=priority,
            )
            try:
                self._manager.defer_job(waiting)
            except AlreadyEnqueued:
                return Enqueued(named.id, "waiting", new=False)
        return Enqueued(named.id, "waiting", new=True)

    def jobs(
        self, *, target: Target | None = None, states: Sequence[State] = STATES, limit: int | None = None
    ) -> tuple[ListedJob, ...]:
        """Jobs, the newest first; each once, however often it was enqueued."""
        with queue_errors(self._url):
            queued = list(self._manager.list_jobs(queue=None if target is None else target.name, task=TASK))
        by_id = {str(job.task_kwargs["job_id"]): job for job in sorted(queued, key=_liveliness)}
        results = {result.job_id: result for result in self._ledger.job_results(list(by_id))}
        newest_first = sorted(by_id.items(), key=lambda item: -(item[1].id or 0))
        listed = (_listed(job, results.get(key)) for key, job in newest_first)
        return tuple(job for job in listed if job.state in states)[:limit]

    def job(self, id_or_prefix: str) -> ListedJob:
        """The job with that id, or with the only id that begins so.

        Raises:
            UnknownJob: There is none, or more than one.
        """
        known = self.jobs()
        found = [job for job in known if job.ticket.id.startswith(id_or_prefix)]
        if len(found) != 1 or len(id_or_prefix) < _PREFIX:
            raise UnknownJob(id_or_prefix, [job.ticket.id for job in (found or known)[:5]])
        return found[0]

    def document(self, job_id: str) -> dict[str, Any]:
        """What a job asks for, as JSON.

        Raises:
            UnknownJob: It is not in the queue.
        """
        with queue_errors(self._url):
            for job in self._manager.list_jobs(task=TASK, queueing_lock=job_id):
                document: Any = job.task_kwargs["document"]
                return dict(document)
        raise UnknownJob(job_id, [])

    def cancel(self, job: ListedJob, *, running: bool = False) -> bool:
        """Cancel a job that waits, or ask the worker that runs it to stop if `running`.

        Returns:
            Whether it was cancelled, or its worker was asked; False if it runs and may, or has its result.
        """
        with queue_errors(self._url):
            found = self._in_queue(job.ticket.id)
            if found is None or found.id is None:
                return False
            if found.status == Status.TODO.value and self._manager.cancel_job_by_id(found.id):
                self._ledger.add_job_result(job.ticket, Ending("cancelled", "cancelled while it waited"))
                return True
            return running and self._manager.cancel_job_by_id(found.id, abort=True)

    def prune(self, days: int) -> int:
        """Forget jobs that were closed so many days ago; their attempts and results stay. Returns how many.

        Args:
            days: By the clock of the database.
        """
        with queue_errors(self._url):
            before = len(self._manager.list_jobs(task=TASK))
            connector = self._manager.connector.get_sync_connector()
            connector.execute_query(queries["delete_old_jobs"], nb_hours=24 * days, queue=None, statuses=_CLOSED)
            return before - len(self._manager.list_jobs(task=TASK))

    def _in_queue(self, job_id: str) -> QueuedJob | None:
        """The job in the queue that waits or runs."""
        jobs = self._manager.list_jobs(task=TASK, queueing_lock=job_id)
        return next((job for job in jobs if job.status in _WAITING_OR_RUNNING), None)


@contextmanager
def open_queue(url: str, ledger: Ledger) -> Iterator[Queue]:
    """The queue behind an address whose schema is prepared.

    Raises:
        StorageError: It cannot be reached; so may every method.
    """
    with queue_errors(url), psycopg.connect(url):
        pass  # a pool would go on trying, and not say why
    connector = procrastinate.SyncPsycopgConnector(conninfo=url, min_size=1, max_size=1)
    app = procrastinate.App(connector=connector)
    with queue_errors(url):
        app.open()
    try:
        yield Queue(url, ledger, app.job_manager)
    finally:
        app.close()


def ticket_of(job: QueuedJob) -> JobTicket:
    """What names a job of the queue, whatever version wrote the rest of it."""
    document: Any = job.task_kwargs["document"]
    return JobTicket(
        str(job.task_kwargs["job_id"]),
        parse_target(job.queue),
        str(document.get("kind")),
        str(document.get("label", "")),
    )


def _listed(job: QueuedJob, result: JobResult | None) -> ListedJob:
    document: Any = job.task_kwargs["document"]
    state: State = _WAITING_OR_RUNNING.get(job.status or "", "cancelled") if result is None else result.status
    workloads = len(document.get("parts", ())) + len(document.get("networks", ()))
    return ListedJob(ticket_of(job), state, job.attempts, workloads, result)


def _liveliness(job: QueuedJob) -> tuple[bool, int]:
    """Orders entries of one job: the last one stands for it."""
    return job.status in _WAITING_OR_RUNNING, job.id or 0
