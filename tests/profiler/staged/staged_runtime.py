"""A runtime for tests, whose engines do what the name of their graph says: run, hang, abort, ..."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from hyctas.graph import Graph
from hyctas.target import Target
from profiler.runtimes.engine import Unsupported


class StagedRuntime:
    """Prepares engines that act; the name of a graph is ``act`` or ``act after N`` (N runs that do nothing bad)."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.metric = target.metric

    def prepare(self, graph: Graph, *, seed: int) -> StagedEngine:
        """Refuse or return what the name of the graph asks for."""
        act, _, after = graph.name.partition(" after ")
        if act == "unsupported":
            raise Unsupported("no such primitive here")
        if act == "memory error":
            raise MemoryError
        if act == "cannot build":
            raise ValueError("the model is broken")
        if act == "abort while building":
            os.abort()
        return StagedEngine(act, int(after or 0))

    def environment(self) -> Mapping[str, str]:
        """Nothing but a name."""
        return {"staged": "yes"}


class RefusingRuntime:
    """A runtime that dies as it opens."""

    def __init__(self, target: Target) -> None:
        os.abort()


class StagedEngine:
    """Does a little work, and acts once it has run often enough."""

    def __init__(self, act: str, after: int) -> None:
        self._act = act
        self._left = after

    def run(self) -> None:
        """Work for some microseconds, or act."""
        self._left -= 1
        sum(range(1000))
        if self._left < 0:
            self._perform()

    def finite(self) -> bool:
        """Whether the act is another than giving no numbers."""
        return self._act != "not finite"

    def _perform(self) -> None:
        if self._act == "abort":
            os.abort()
        elif self._act == "hang":
            time.sleep(3600)
        elif self._act == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._act == "chatter":
            os.write(1, b'{"type": "nonsense"}\n')
            sys.stdout.write("from Python\n")
            sys.stdout.flush()
