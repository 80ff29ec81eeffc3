"""Holding a device while a job is measured on it: by a lock on the host, a lock in the database, and an open attempt.

Three things must go wrong before two workers measure on one device at once:

- the *host's lock* excludes workers of one host, however the network is;
- the *advisory lock* of PostgreSQL excludes workers of different hosts as long as the server sees the connection;
- the *open attempt* excludes everybody until it is closed, or was silent for ``lost_after_s`` by the server's clock;
  by then its own worker has stopped, ``lease_s`` after the last renewal that it sent and heard answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from hyctas.errors import StorageError
from hyctas.job import JobAttempt, JobResult, JobTicket
from profiler.fleet.host_lock import HostLock
from profiler.fleet.ledger import Hold, Ledger
from profiler.fleet.threads import in_thread
from profiler.fleet.timing import FleetTiming


class HeldDevice:
    """A device that this worker has, with the attempt that keeps it.

    Attributes:
        attempt: The open attempt.

    Args:
        attempt: The open attempt.
        hold: The lock in the database.
        timing: Limits.
        asked_s: When, by this process's monotonic clock, the attempt was asked for.
        monotonic_s: That clock.
    """

    def __init__(
        self,
        attempt: JobAttempt,
        hold: Hold,
        timing: FleetTiming,
        *,
        asked_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.attempt = attempt
        self._hold = hold
        self._timing = timing
        self._renewed_s = asked_s
        self._monotonic_s = monotonic_s

    @property
    def deadline_s(self) -> float:
        """When measuring must have ended unless the attempt is renewed, by the monotonic clock of this host."""
        return self._renewed_s + self._timing.lease_s

    async def keep(self, on_renewed: Callable[[float], None]) -> str:
        """Renew the attempt until that fails; returns why the device is no longer held.

        Args:
            on_renewed: Told the new deadline each time.
        """
        while True:
            await asyncio.sleep(self._timing.renew_s)
            sent_s = self._monotonic_s()
            left_s = self.deadline_s - sent_s
            if left_s <= 0:  # the process was suspended
                return f"this worker was not running for more than {self._timing.lease_s:g} s"
            try:
                renewed = await asyncio.wait_for(in_thread(partial(self._hold.renew, self.attempt.id)), left_s)
            except TimeoutError:
                return f"the database did not answer for {self._timing.lease_s:g} s"
            except StorageError as error:
                return str(error)
            if not renewed:
                return "another worker has taken the job over"
            self._renewed_s = sent_s
            on_renewed(self.deadline_s)


@asynccontextmanager
async def held_device(
    ticket: JobTicket, ledger: Ledger, lock: HostLock, *, worker: str, timing: FleetTiming
) -> AsyncIterator[HeldDevice | JobResult]:
    """Wait until the device of a job is free, and hold it; or return the job's result, if it has one by then.

    Raises:
        StorageError: The database cannot be reached.
    """
    while not lock.take():
        await asyncio.sleep(timing.poll_s)
    try:
        hold = await in_thread(partial(ledger.hold_device, ticket.target.device))
        try:
            yield await _begun(ticket, ledger, hold, worker=worker, timing=timing)
        finally:
            await in_thread(hold.close)
    finally:
        lock.release()


async def _begun(
    ticket: JobTicket, ledger: Ledger, hold: Hold, *, worker: str, timing: FleetTiming
) -> HeldDevice | JobResult:
    begin = partial(ledger.begin_attempt, ticket, worker, lost_after_s=timing.lost_after_s)
    take = partial(hold.take, lost_after_s=timing.lost_after_s)
    while True:
        if await in_thread(take):
            asked_s = time.monotonic()
            begun = await in_thread(begin)
            if isinstance(begun, JobResult):
                return begun
            if isinstance(begun, JobAttempt):
                return HeldDevice(begun, hold, timing, asked_s=asked_s)
        await asyncio.sleep(timing.poll_s)
