"""Streams, events and graphs on a simulated clock.

Work is timed when it is enqueued, and *done* when something waits for it: a program that reads a result without waiting
gets what was there before, as on hardware.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulated_gpu.misuse import Misuse


@dataclass(frozen=True)
class Work:
    """One operation of a stream: how long it takes, and what it does.

    `duration_s` is asked when the work is put on a stream, because a kernel is slower on a cold cache.
    """

    name: str
    duration_s: Callable[[], float]
    act: Callable[[], None] = lambda: None
    launch_s: float = 0.0


@dataclass
class Clock:
    """The host's time on the simulated clock; only launching and waiting take any.

    `waits`: waiting takes as much real time too, so that what a host times contains what the device does.
    """

    waits: bool = False
    host_s: float = 0.0

    def wait_until(self, time_s: float) -> None:
        """Let the host wait for the device."""
        if self.waits and time_s > self.host_s:
            time.sleep(time_s - self.host_s)
        self.host_s = max(self.host_s, time_s)


@dataclass(eq=False)
class Event:
    """A marker in a stream."""

    timing: bool = True
    time_s: float | None = None
    done: bool = False
    captured: bool = False
    destroyed: bool = False
    stream: Stream | None = None


@dataclass(eq=False)
class Graph:
    """Captured work."""

    work: tuple[Work, ...]
    destroyed: bool = False

    def destroy(self) -> None:
        """Let go of the work, and with it of what it runs."""
        self.work, self.destroyed = (), True


@dataclass(eq=False)
class GraphExec:
    """A graph that can be launched."""

    work: tuple[Work, ...]
    uploaded: bool = False
    destroyed: bool = False

    def destroy(self) -> None:
        """Let go of the work, and with it of what it runs."""
        self.work, self.destroyed = (), True


@dataclass(eq=False)
class Stream:
    """A queue of work.

    Attributes:
        ready_s: When all that was enqueued will have run.
        capturing: What was captured so far, or None.
        invalidated: Why the capture under way cannot become a graph.
    """

    clock: Clock
    ready_s: float = 0.0
    destroyed: bool = False
    capturing: list[Work] | None = None
    invalidated: str | None = None
    _queue: deque[Callable[[], None]] = field(default_factory=deque)

    def enqueue(self, work: Sequence[Work]) -> None:
        """Put work on the stream one by one; each is launched by the host."""
        self._check()
        if self.capturing is not None:
            self.capturing.extend(work)
            return
        for item in work:
            self.clock.host_s += item.launch_s
            self._run(item)

    def launch(self, graph: GraphExec, launch_s: float) -> None:
        """Put a whole graph on the stream with one launch."""
        self._check()
        if self.capturing is not None:
            raise Misuse("the stand-in launches no graph while it captures one")
        self.clock.host_s += launch_s
        for item in graph.work:
            self._run(item)

    def _run(self, item: Work) -> None:
        self.ready_s = max(self.ready_s, self.clock.host_s) + item.duration_s()
        self._queue.append(item.act)

    def record(self, event: Event) -> None:
        """Mark this point of the stream."""
        self._check()
        if self.capturing is not None:
            event.captured = True
            return
        event.captured, event.done, event.stream = False, False, self
        event.time_s = max(self.ready_s, self.clock.host_s)

        def reached() -> None:
            event.done = True

        self._queue.append(reached)

    def wait_for(self, event: Event) -> None:
        """Hold later work back until `event` has happened."""
        self._check()
        if self.capturing is not None or event.captured:
            raise Misuse("the stand-in captures one stream only: no waiting for events in a capture")
        if event.time_s is None or event.stream is None:
            return
        self.ready_s = max(self.ready_s, event.time_s)
        self._queue.append(event.stream.drain)

    def synchronize(self) -> None:
        """Wait until everything is done."""
        self._check()
        if self.capturing is not None:
            raise Misuse("a stream is synchronised while it captures")
        self.drain()
        self.clock.wait_until(self.ready_s)

    def drain(self) -> None:
        """Do what is enqueued."""
        while self._queue:
            self._queue.popleft()()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be done."""
        return not self._queue

    def _check(self) -> None:
        if self.destroyed:
            raise Misuse("a destroyed stream is used")
