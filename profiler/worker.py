"""The measuring process; reads requests on stdin, answers on stdout.

It ends when its parent does (end of file on stdin, and :mod:`profiler.parentage`). Whatever a runtime
prints goes to stderr, so that it cannot break into the answers.
"""

from __future__ import annotations

import gc
import os
import platform
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import BinaryIO, Final

import numpy as np

from hyctas.builder import GraphBuilder
from hyctas.errors import HyctasError, MeasuringError
from hyctas.graph import Graph
from hyctas.graph_json import decode_graph
from hyctas.layers import relu
from hyctas.target import Target, parse_target
from profiler.faults import is_out_of_memory
from profiler.interleave import Interleaver, References
from profiler.messages import (
    ENCODER,
    REQUESTS,
    Answer,
    Done,
    Failed,
    Item,
    LayersTimed,
    Measure,
    Measured,
    MeasureLayers,
    Open,
    Opened,
    Refused,
    Turn,
)
from profiler.reference import ComputeReference, MemoryReference, reference_id
from profiler.runtimes import Engine, Runtime, Unsupported, open_runtime
from profiler.runtimes.engine import Described, Layered, Monitored, SelfTimed
from profiler.runtimes.tensorrt.cuda import BINDING_VARIABLE, prefer_binding
from profiler.stopping import StoppingRule
from profiler.versions import firmware, own_version

CALL_FLOOR_RUNS: Final = 200


def main() -> None:
    """Serve requests until stdin ends."""
    gc.disable()
    requests, answers = claim_channel()
    channel = Channel(answers)
    first = REQUESTS.decode(requests.readline())
    if not isinstance(first, Open):
        raise SystemExit("the first message must open a runtime")
    try:
        prefer_binding(os.environ.get(BINDING_VARIABLE))
        worker = Worker.open(first, channel)
    except HyctasError as error:
        channel.send(Refused(str(error)))
        return
    for line in requests:
        worker.answer(line)


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
        check_metric(runtime, target)
        interleaver = Interleaver(
            StoppingRule(request.protocol, request.normaliser, target),
            References(ComputeReference.create(), MemoryReference.create()),
            np.random.default_rng(request.seed),
            conditions=runtime.conditions if isinstance(runtime, Monitored) else None,
        )
        worker = cls(runtime, interleaver, channel, request.seed)
        environment = {**host_environment(), **runtime.environment()}
        channel.send(Opened(runtime.metric, environment, reference_id(), worker._call_floor_s()))
        return worker

    def answer(self, line: bytes) -> None:
        """Answer one request."""
        request = REQUESTS.decode(line)
        if isinstance(request, Measure):
            self._measure(request.items)
        elif isinstance(request, MeasureLayers):
            self._measure([request.item], layers=True)

    def _measure(self, items: Sequence[Item], *, layers: bool = False) -> None:
        """Measure items together; with their layers if asked to, which are timed last, for profiling slows down."""
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
            on_finished=lambda position, rounds: self.channel.send(
                Measured(names[position], rounds, _facts(engines[names[position]]))
            ),
        )
        if layers:
            self._time_layers(engines)
        engines.clear()
        gc.collect()
        wall_s = (time.perf_counter_ns() - start_ns) * 1e-9
        self.channel.send(Done(wall_s, self.interleaver.timed_s - timed_s, prepare_s))

    def _prepare(self, item: Item) -> Engine | None:
        """An engine that runs and gives finite results, or None after saying why not."""
        self.channel.send(Turn(item.name, building=True))
        try:
            engine = self.runtime.prepare(decode_graph(bytes(item.graph)), seed=self.seed)
            if engine.finite():
                return engine
            self.channel.send(Failed(item.name, "not_finite", "an output holds NaN or infinity"))
        except Exception as error:  # whatever a runtime raises is a result
            self.channel.send(failed(item.name, error))
        return None

    def _time_layers(self, engines: Mapping[str, Engine]) -> None:
        """Tell the time of each layer of each engine."""
        for name, engine in engines.items():
            self.channel.send(Turn(name, building=True))
            try:
                if not isinstance(engine, Layered):
                    raise Unsupported("this runtime does not tell the time of single layers")
                self.channel.send(LayersTimed(name, tuple(engine.layers())))
            except Exception as error:  # whatever a runtime raises is a result
                self.channel.send(failed(name, error))

    def _call_floor_s(self) -> float:
        """Median time of a call that does almost nothing: one ReLU on one number; by the clock of the samples."""
        engine = self.runtime.prepare(_almost_nothing(), seed=self.seed)
        engine.run()
        if isinstance(engine, SelfTimed):
            return median(engine.time_s(1) for _ in range(CALL_FLOOR_RUNS))
        return median(_host_time_s(engine) for _ in range(CALL_FLOOR_RUNS))


def _facts(engine: Engine) -> dict[str, str]:
    return dict(engine.facts()) if isinstance(engine, Described) else {}


def check_metric(runtime: Runtime, target: Target) -> None:
    """Refuse a runtime whose samples would be times of something else than the name of the target says.

    Raises:
        MeasuringError: They would.
    """
    if runtime.metric != target.metric:
        raise MeasuringError(
            f"{target.local_name} means {target.metric}, but its runtime measures {runtime.metric}; "
            "choose the target whose options say so (host, copies, or neither)"
        )


def failed(name: str, error: Exception) -> Failed:
    """What an error of a runtime means for the item that it happened to."""
    if isinstance(error, Unsupported):
        return Failed(name, "unsupported", str(error))
    if isinstance(error, MemoryError):
        return Failed(name, "out_of_memory", str(error) or "the allocation failed")
    message = f"{type(error).__name__}: {error}"
    return Failed(name, "out_of_memory" if is_out_of_memory(message) else "build", message)


def host_environment() -> dict[str, str]:
    """What about this machine and interpreter could change a latency."""
    return {
        "host": socket.gethostname(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpus": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.2f}",
        **own_version(),
        **firmware(),
    }


def _host_time_s(engine: Engine) -> float:
    start_ns = time.perf_counter_ns()
    engine.run()
    return (time.perf_counter_ns() - start_ns) * 1e-9


def _almost_nothing() -> Graph:
    b = GraphBuilder("call floor")
    return b.build(relu(b, b.input("x", (1, 1, 1, 1))))
