"""The probing process; opens targets one by one, answers on stdout.

A process of its own, because what is probed may crash or hang: a CUDA library without a driver does either.
"""

from __future__ import annotations

import os

import msgspec

from hyctas.builder import GraphBuilder
from hyctas.errors import HyctasError, MeasuringError
from hyctas.graph import Graph
from hyctas.layers import conv_bn_relu
from hyctas.target import parse_target
from profiler.runtimes import Runtime, open_runtime
from profiler.runtimes.tensorrt.cuda import BINDING_VARIABLE, prefer_binding
from profiler.worker import claim_channel, host_environment


class Request(msgspec.Struct, frozen=True):
    """What to probe.

    Attributes:
        targets: Full names, in this order.
        to_run: Those that also have to run a small network.
        runtimes: Where runtimes are defined, by name.
    """

    targets: tuple[str, ...]
    to_run: tuple[str, ...]
    runtimes: dict[str, str]


class Answer(msgspec.Struct, frozen=True):
    """What came of one target.

    Attributes:
        target: Its full name.
        reason: Why it cannot be measured, or None.
        environment: What its runtime says about itself.
    """

    target: str
    reason: str | None
    environment: dict[str, str]


def main() -> None:
    """Answer the one request."""
    requests, answers = claim_channel()
    request = msgspec.json.decode(requests.readline(), type=Request)
    for name in request.targets:
        answer = probe(name, request.runtimes, run=name in request.to_run)
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def probe(name: str, runtimes: dict[str, str], *, run: bool) -> Answer:
    """Open one target, and run a small network on it if asked to."""
    try:
        prefer_binding(os.environ.get(BINDING_VARIABLE))
        runtime = open_runtime(parse_target(name), runtimes)
        if run:
            _try_out(runtime)
        return Answer(name, None, {**host_environment(), **runtime.environment()})
    except HyctasError as error:
        return Answer(name, str(error), {})
    except Exception as error:  # whatever a runtime raises is the reason
        return Answer(name, f"{type(error).__name__}: {error}", {})


def _try_out(runtime: Runtime) -> None:
    if not runtime.prepare(_small_network(), seed=0).finite():
        raise MeasuringError("a small network gives NaN or infinity")


def _small_network() -> Graph:
    b = GraphBuilder("probe")
    return b.build(conv_bn_relu(b, b.input("x", (1, 8, 16, 16)), 8, kernel=3, name="conv"))
