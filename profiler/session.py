"""The parent's side of a measuring process: it asks, waits with a limit, and turns a death or a hang into a result."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Final
from uuid import uuid4

import msgspec

from hyctas.errors import MeasuringError, RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.graph_json import encode_graph
from hyctas.measurement import Failure, FailureKind, Normaliser, Protocol, Round
from hyctas.target import Metric, Target
from profiler.child import how_it_ended, last_words, start_child
from profiler.faults import is_out_of_memory
from profiler.messages import (
    ANSWERS,
    ENCODER,
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
    Request,
    Turn,
)
from profiler.runtimes import RUNTIMES
from profiler.runtimes.engine import LayerTime

OPEN_LIMIT_S: Final = 120.0
TURN_LIMIT_S: Final = 120.0
"""Longest silence of a process before it counts as hung."""
BUILD_LIMIT_S: Final = 120.0
"""Longest time that the build of one engine may take on a CPU; ``torch.compile`` takes longest, up to 80 s."""
GPU_BUILD_LIMIT_S: Final = 1200.0
"""The same on a GPU: TensorRT times thousands of kernels, for many minutes at high optimisation levels."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a measuring process is started.

    Attributes:
        target: What it measures.
        protocol: How.
        normaliser: The reference of the stopping rule.
        seed: For the order of rounds, weights and inputs.
        runtimes: Where runtimes are defined.
        turn_limit_s: Longest silence before the process counts as hung.
        build_limit_s: Longest time that the build of one engine may take; None takes that of the target's device.
    """

    target: Target
    protocol: Protocol
    normaliser: Normaliser
    seed: int
    runtimes: Mapping[str, str] = field(default_factory=lambda: RUNTIMES)
    turn_limit_s: float = TURN_LIMIT_S
    build_limit_s: float | None = None

    @property
    def longest_build_s(self) -> float:
        """Seconds after which a build is given up."""
        if self.build_limit_s is not None:
            return self.build_limit_s
        return GPU_BUILD_LIMIT_S if self.target.on_gpu else BUILD_LIMIT_S


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the wall time of blocks went, in seconds."""

    wall_s: float = 0.0
    timed_s: float = 0.0
    prepare_s: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        """Sum of both, field by field."""
        return Timing(self.wall_s + other.wall_s, self.timed_s + other.timed_s, self.prepare_s + other.prepare_s)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: rounds, or a failure; or the time of each of its layers, where they were asked for."""

    name: str
    rounds: tuple[Round, ...]
    failure: Failure | None
    layers: tuple[LayerTime, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)


class ProcessEnded(MeasuringError):
    """The measuring process died or hung.

    Args:
        kind: ``crash``, ``out_of_memory`` or ``timeout``.
        culprit: The item that it worked on, or None.
        message: What is known.
    """

    def __init__(self, kind: FailureKind, culprit: str | None, message: str) -> None:
        self.kind = kind
        self.culprit = culprit
        super().__init__(message)


class Session:
    """One measuring process, used as a context manager.

    Attributes:
        metric: What its samples are times of.
        environment: What the process says about itself and its runtime.
        reference_id: Name of its reference code.
        call_floor_s: Seconds of an almost empty call.
        process_id: Names the process; unique, though pids come again.
        timing: Where its time went so far.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self.timing = Timing()
        self._turn: Turn | None = None
        self._busy = False
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the session)
        self._process = start_child("profiler.worker", stderr=self._stderr)
        self._buffer = b""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        """Return the open session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End the process by force; whoever waits for it learns of its death."""
        self._process.kill()

    def close(self) -> None:
        """End the process, kindly while it waits for a request and by force otherwise."""
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._busy:
            self.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def measure(self, graphs: Mapping[str, Graph]) -> Iterator[Outcome]:
        """Measure a block of graphs together; yields what became of each as soon as it is known.

        Raises:
            ProcessEnded: The process died or hung; items not yielded have no result.
        """
        yield from self._ask(Measure(tuple(_item(name, graph) for name, graph in graphs.items())))

    def measure_layers(self, name: str, graph: Graph) -> Iterator[Outcome]:
        """Measure one graph alone, then the time of each of its layers: two outcomes, unless one is a failure.

        Raises:
            ProcessEnded: The process died or hung.
        """
        yield from self._ask(MeasureLayers(_item(name, graph)))

    def _ask(self, request: Measure | MeasureLayers) -> Iterator[Outcome]:
        """Send a request, and yield what becomes of its items until it is done."""
        self._send(request)
        self._busy = True
        while not isinstance(answer := self._receive(), Done):
            if isinstance(answer, Turn):
                self._turn = answer
            elif isinstance(answer, Failed):
                yield Outcome(answer.name, (), Failure(answer.kind, answer.message))
            elif isinstance(answer, Measured):
                yield Outcome(answer.name, answer.rounds, None, facts=answer.facts)
            elif isinstance(answer, LayersTimed):
                yield Outcome(answer.name, (), None, answer.layers)
        self._turn, self._busy = None, False
        self.timing += Timing(answer.wall_s, answer.timed_s, answer.prepare_s)

    def _open(self) -> None:
        s = self._settings
        try:
            self._send(Open(s.target.name, s.protocol, s.normaliser, s.seed, dict(s.runtimes)))
            answer = self._receive(opening=True)
        except ProcessEnded as ended:
            raise RuntimeUnavailable(f"{s.target}: the runtime does not open here: {ended}") from ended
        if isinstance(answer, Refused):
            raise RuntimeUnavailable(answer.reason)
        assert isinstance(answer, Opened)
        self.metric: Metric = answer.metric
        self.environment: Mapping[str, str] = answer.environment
        self.reference_id = answer.reference_id
        self.call_floor_s = answer.call_floor_s
        self.process_id = f"{answer.environment['host']}:{self.pid}:{uuid4().hex[:8]}"

    def _send(self, request: Request) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(ENCODER.encode(request) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self, *, opening: bool = False) -> Answer:
        """The next answer; what the process works on limits the silence before it."""
        limit_s = self._limit_s(opening=opening)
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(limit_s):
                    self.kill()
                    raise ProcessEnded("timeout", self._culprit, self._silence(limit_s))
                chunk = os.read(self._process.stdout.fileno(), 1 << 20)
                if not chunk:
                    raise self._ended()
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return ANSWERS.decode(line)

    @property
    def _culprit(self) -> str | None:
        """The item that the process works on."""
        return None if self._turn is None else self._turn.name

    @property
    def _building(self) -> bool:
        return self._turn is not None and self._turn.building

    def _limit_s(self, *, opening: bool) -> float:
        if opening:
            return OPEN_LIMIT_S
        return self._settings.longest_build_s if self._building else self._settings.turn_limit_s

    def _silence(self, limit_s: float) -> str:
        if self._building:
            return f"the build took longer than {limit_s:g} s; --build-limit allows more"
        return f"no sign of life for {limit_s:g} s"

    def _ended(self) -> ProcessEnded:
        status = self._process.wait()
        said = last_words(self._stderr)
        if status == -signal.SIGKILL:
            return ProcessEnded("out_of_memory", self._culprit, f"killed, most likely for memory. {said}".strip())
        message = f"the measuring process ended with {how_it_ended(status)}. {said}".strip()
        return ProcessEnded("out_of_memory" if is_out_of_memory(said) else "crash", self._culprit, message)


def _item(name: str, graph: Graph) -> Item:
    return Item(name, msgspec.Raw(encode_graph(graph)))
