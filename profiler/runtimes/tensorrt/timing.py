"""Timing runs of an engine: by events on the device, or by the host's clock.

Traps, and what is done about each:

- Events around a launch time the host where it launches more slowly than the device works. A replayed graph is one
  launch for the whole network; the interleaver asks for as many runs back to back as make a sample last 1 ms; and the
  host's time to enqueue is kept beside (:attr:`Sample.enqueue_s`), so that launch-bound is visible.
- An idle device reaches the first event at once and then waits for the first launch. So a run that nobody times leads
  in: the device is still busy with it when everything that is timed is enqueued.
- What flushes the cache must not be timed, so each run has its own pair of events. The host is ahead by then:
  overwriting twice the L2 takes longer than recording an event and launching a graph.
- A copy from memory that is not page-locked is synchronous, and would time the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from profiler.runtimes.tensorrt.cuda import Cuda, Event, Stream
from profiler.runtimes.tensorrt.l2_flush import L2Flush

LAUNCH_BOUND: Final = 0.9
"""A run counts as launch-bound if the host needs at least this share of its time to enqueue it."""
LEAD_IN_BELOW_S: Final = 5e-3
"""Longer runs go without a lead-in: a launch of some microseconds is nothing to them."""
_PAIRS: Final = 32
"""Runs between two waits of the host where each has its own events."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The mean of several runs, in seconds.

    Attributes:
        run_s: Time of one run.
        enqueue_s: The host's time to enqueue one run.
    """

    run_s: float
    enqueue_s: float

    @property
    def launch_bound(self) -> bool:
        """Whether the host may be what was timed."""
        return self.enqueue_s >= LAUNCH_BOUND * self.run_s


class Timer(Protocol):
    """Times runs."""

    def time(self, enqueue: Callable[[], None], repeats: int) -> Sample:
        """The mean of `repeats` runs, all done on return."""


class EventTimer:
    """Time between events on the device.

    Args:
        cuda: The device.
        stream: Where `enqueue` puts its work.
        resources: Destroys the events.
    """

    def __init__(self, cuda: Cuda, stream: Stream, resources: ExitStack) -> None:
        self._cuda = cuda
        self._stream = stream
        self._start, self._stop = _events(cuda, 1, resources)[0]
        self._run_s = 0.0

    def time(self, enqueue: Callable[[], None], repeats: int) -> Sample:
        """Runs back to back, between one pair of events."""
        if self._run_s < LEAD_IN_BELOW_S:
            enqueue()
        self._cuda.record(self._start, self._stream)
        begun_ns = time.perf_counter_ns()
        for _ in range(repeats):
            enqueue()
        enqueue_s = (time.perf_counter_ns() - begun_ns) * 1e-9
        self._cuda.record(self._stop, self._stream)
        self._cuda.synchronise(self._stream)
        self._run_s = self._cuda.elapsed_s(self._start, self._stop) / repeats
        return Sample(self._run_s, enqueue_s / repeats)


class FlushedEventTimer:
    """Time between events on the device, with a cold L2 cache before each run.

    Args:
        cuda: The device.
        stream: Where `enqueue` puts its work.
        flush: Empties the cache.
        resources: Destroys the events.
    """

    def __init__(self, cuda: Cuda, stream: Stream, flush: L2Flush, resources: ExitStack) -> None:
        self._cuda = cuda
        self._stream = stream
        self._flush = flush
        self._pairs = _events(cuda, _PAIRS, resources)

    def time(self, enqueue: Callable[[], None], repeats: int) -> Sample:
        """Each run between a pair of events of its own, after a flush that is outside."""
        run_s = enqueue_s = 0.0
        for begun in range(0, repeats, _PAIRS):
            pairs = tuple(islice(self._pairs, min(_PAIRS, repeats - begun)))
            for start, stop in pairs:
                self._flush.enqueue()
                self._cuda.record(start, self._stream)
                begun_ns = time.perf_counter_ns()
                enqueue()
                enqueue_s += (time.perf_counter_ns() - begun_ns) * 1e-9
                self._cuda.record(stop, self._stream)
            self._cuda.synchronise(self._stream)
            run_s += sum(self._cuda.elapsed_s(start, stop) for start, stop in pairs)
        return Sample(run_s / repeats, enqueue_s / repeats)


class HostTimer:
    """The host's time from the call to its result.

    Args:
        cuda: The device.
        stream: Where `enqueue` puts its work.
        flush: Empties the L2 cache before each run; None leaves it warm.
    """

    def __init__(self, cuda: Cuda, stream: Stream, flush: L2Flush | None) -> None:
        self._cuda = cuda
        self._stream = stream
        self._flush = flush

    def time(self, enqueue: Callable[[], None], repeats: int) -> Sample:
        """Each run waited for by itself, as a caller waits for its result."""
        run_ns = enqueue_ns = 0
        for _ in range(repeats):
            if self._flush is not None:
                self._flush.enqueue()
                self._cuda.synchronise(self._stream)
            begun_ns = time.perf_counter_ns()
            enqueue()
            enqueued_ns = time.perf_counter_ns()
            self._cuda.synchronise(self._stream)
            run_ns += time.perf_counter_ns() - begun_ns
            enqueue_ns += enqueued_ns - begun_ns
        return Sample(run_ns * 1e-9 / repeats, enqueue_ns * 1e-9 / repeats)


def _events(cuda: Cuda, pairs: int, resources: ExitStack) -> tuple[tuple[Event, Event], ...]:
    """Pairs of events that are destroyed with everything else."""

    def create() -> Event:
        event = cuda.create_event()
        resources.callback(cuda.destroy_event, event)
        return event

    return tuple((create(), create()) for _ in range(pairs))
