"""A runtime for tests, whose engines do what the name of their graph says: run, hang, abort, ..."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from hyctas.graph import Graph
from hyctas.measurement import DeviceConditions
from hyctas.target import Target
from profiler.runtimes.engine import LayerTime, Unsupported


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
        if act == "cuda memory":
            raise RuntimeError("CUDA error: out of memory")
        if act == "hang while building":
            time.sleep(3600)
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


class MismatchedRuntime(StagedRuntime):
    """A runtime that measures something else than its target says."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.metric = "host_time_with_copies"


class StagedGpu(StagedRuntime):
    """A runtime on a device with a clock of its own and a state; the variable STAGED_THROTTLE says why it is slow."""

    def prepare(self, graph: Graph, *, seed: int) -> StagedGpuEngine:
        """Refuse as the other runtime does, or return an engine that times itself."""
        engine = super().prepare(graph, seed=seed)
        return StagedGpuEngine(engine, tuple(node.name for node in graph.nodes))

    def conditions(self) -> DeviceConditions:
        """A state that says that it was read."""
        reasons = os.environ.get("STAGED_THROTTLE", "")
        return DeviceConditions(sm_clock_hz=2e9, temperature_c=50.0, throttle_reasons=tuple(reasons.split()))


class StagedGpuEngine:
    """Says that every run takes two milliseconds, and every layer one."""

    def __init__(self, engine: StagedEngine, nodes: tuple[str, ...]) -> None:
        self._engine = engine
        self._nodes = nodes
        self.run, self.finite = engine.run, engine.finite

    def time_s(self, repeats: int) -> float:
        """Work, and return the device's time."""
        for _ in range(repeats):
            self._engine.run()
        return 0.002

    def layers(self) -> tuple[LayerTime, ...]:
        """One layer a node, and one of none."""
        return (*(LayerTime(f"layer {name}", 0.001, (name,)) for name in self._nodes), LayerTime("copy", 0.001, ()))


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
        elif self._act == "cuda memory at run":
            raise RuntimeError("cudaErrorMemoryAllocation (2): out of memory")
        elif self._act == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._act == "chatter":
            os.write(1, b'{"type": "nonsense"}\n')
            sys.stdout.write("from Python\n")
            sys.stdout.flush()
