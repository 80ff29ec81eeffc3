"""The measuring process: ``python -m profiler.worker PARENT_PID``; reads requests on stdin, answers on stdout.

It ends when its parent does (end of file on stdin, and a death signal on Linux). Whatever a runtime
prints goes to stderr, so that it cannot break into the answers.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import BinaryIO, Final

import numpy as np

from hyctas.builder import GraphBuilder
from hyctas.errors import HyctasError
from hyctas.graph import Graph
from hyctas.graph_json import decode_graph
from hyctas.layers import relu
from hyctas.measurement import FailureKind
from hyctas.target import parse_target
from profiler.interleave import Interleaver, References
from profiler.messages import (
    ENCODER,
    REQUESTS,
    Answer,
    Done,
    Failed,
    Item,
    Measure,
    Measured,
    Open,
    Opened,
    Refused,
    Turn,
)
from profiler.reference import ComputeReference, MemoryReference, reference_id
from profiler.runtimes import Engine, Runtime, Unsupported, open_runtime
from profiler.stopping import StoppingRule

CALL_FLOOR_RUNS: Final = 200
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serve requests until stdin ends."""
    die_with_parent(int(sys.argv[1]))
    gc.disable()
    requests, answers = claim_channel()
    channel = Channel(answers)
    first = REQUESTS.decode(requests.readline())
    if not isinstance(first, Open):
        raise SystemExit("the first message must open a runtime")
    try:
        worker = Worker.open(first, channel)
    except HyctasError as error:
        channel.send(Refused(str(error)))
        return
    for line in requests:
        worker.answer(line)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` dies, and leave Ctrl-C to the parent.

    Where there is no such call, the end of file on stdin ends the process once it has finished its block.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")


def claim_channel() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for messages, and send everything that is printed from now on to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return requests, answers


@dataclass(frozen=True)
class Channel:
    """Writes answers, one line each."""

    stream: BinaryIO

    def send(self, answer: Answer) -> None:
        """Write one answer at once."""
        self.stream.write(ENCODER.encode(answer) + b"\n")
        self.stream.flush()


@dataclass
class Worker:
    """An open runtime, and the references beside it."""

    runtime: Runtime
    interleaver: Interleaver
    channel: Channel
    seed: int

    @classmethod
    def open(cls, request: Open, channel: Channel) -> Worker:
        """Open the runtime and the references, and say so."""
        target = parse_target(request.target)
        runtime = open_runtime(target, request.runtimes)
        interleaver = Interleaver(
            StoppingRule(request.protocol, request.normaliser, target),
            References(ComputeReference.create(), MemoryReference.create()),
            np.random.default_rng(request.seed),
        )
        worker = cls(runtime, interleaver, channel, request.seed)
        environment = {**host_environment(), **runtime.environment()}
        channel.send(Opened(environment, reference_id(), worker._call_floor_s()))
        return worker

    def answer(self, line: bytes) -> None:
        """Answer one request."""
        request = REQUESTS.decode(line)
        if isinstance(request, Measure):
            self._measure(request.items)

    def _measure(self, items: Sequence[Item]) -> None:
        start_ns, timed_s = time.perf_counter_ns(), self.interleaver.timed_s
        engines: dict[str, Engine] = {}
        for item in items:
            engine = self._prepare(item)
            if engine is not None:
                engines[item.name] = engine
        prepare_s = (time.perf_counter_ns() - start_ns) * 1e-9
        names = tuple(engines)
        self.interleaver.measure(
            tuple(engines.values()),
            on_turn=lambda position: self.channel.send(Turn(names[position])),
            on_finished=lambda position, rounds: self.channel.send(Measured(names[position], rounds)),
        )
        engines.clear()
        gc.collect()
        wall_s = (time.perf_counter_ns() - start_ns) * 1e-9
        self.channel.send(Done(wall_s, self.interleaver.timed_s - timed_s, prepare_s))

    def _prepare(self, item: Item) -> Engine | None:
        """An engine that runs and gives finite results, or None after saying why not."""
        self.channel.send(Turn(item.name))
        try:
            engine = self.runtime.prepare(decode_graph(bytes(item.graph)), seed=self.seed)
            if engine.finite():
                return engine
            self.channel.send(Failed(item.name, "not_finite", "an output holds NaN or infinity"))
        except MemoryError as error:
            self.channel.send(Failed(item.name, "out_of_memory", str(error) or "the allocation failed"))
        except Unsupported as error:
            self.channel.send(Failed(item.name, "unsupported", str(error)))
        except Exception as error:  # whatever a runtime raises is a result
            kind: FailureKind = "out_of_memory" if "allocat" in str(error).lower() else "build"
            self.channel.send(Failed(item.name, kind, f"{type(error).__name__}: {error}"))
        return None

    def _call_floor_s(self) -> float:
        """Median time of a call that does almost nothing: one ReLU on one number."""
        engine = self.runtime.prepare(_almost_nothing(), seed=self.seed)
        samples = []
        for _ in range(CALL_FLOOR_RUNS):
            start_ns = time.perf_counter_ns()
            engine.run()
            samples.append((time.perf_counter_ns() - start_ns) * 1e-9)
        return median(samples)


def host_environment() -> dict[str, str]:
    """What about this machine and interpreter could change a latency."""
    return {
        "host": socket.gethostname(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpus": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def _almost_nothing() -> Graph:
    b = GraphBuilder("call floor")
    return b.build(relu(b, b.input("x", (1, 1, 1, 1))))


if __name__ == "__main__":
    main()
