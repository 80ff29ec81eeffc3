"""ONNX Runtime's GPU providers and torch on a real GPU: right outputs, the precision that was asked for, times."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.measurement import Protocol
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from hyctas.weights import seeded_inputs
from profiler.runtimes import CATALOGUE, Runtime, Unsupported, open_runtime
from profiler.runtimes.engine import SelfTimed
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.session import Session, SessionSettings
from tests.gpu.recording import FigureRecorder

pytestmark = pytest.mark.gpu

TOLERANCES = {"fp32": 1e-3, "tf32": 0.02, "fp16": 0.02, "bf16": 0.1, "int8": 0.2}
"""Largest difference, as a share of the largest output of the float32 network."""
TARGETS = [
    name
    for runtime in ("onnxruntime", "torch")
    for name in CATALOGUE[runtime].local_targets
    if parse_target(name, device="gpu").on_gpu
]
METRICS = ["torch-fp16-cuda-graph", "onnxruntime-fp16-cuda"]
PART = Part("conv_2x", 64, 128, (96,), 96)
QUICK = Protocol(min_rounds=3, max_rounds=3, samples_per_round=2, relative_half_width=10.0)


def opened(name: str) -> Runtime:
    try:
        return open_runtime(parse_target(name, device="gpu"))
    except (RuntimeUnavailable, Unsupported) as reason:
        pytest.skip(str(reason))


def networks() -> Iterator[Graph]:
    settings = ArchitectureDefaults(height=128, width=256, base_channels=8)
    for network in sample_structured(SearchSpace(depth=9), np.random.default_rng(0), 2, settings):
        yield lower(network, training=True)


@cache
def expected(graph: Graph) -> list[npt.NDArray[Any]]:
    import onnxruntime as ort

    session = ort.InferenceSession(seeded_onnx(graph, seed=0), providers=["CPUExecutionProvider"])
    found: list[npt.NDArray[Any]] = session.run(None, seeded_inputs(graph, 0))
    return found


def difference(engine: Any, graph: Graph) -> float:
    pairs = zip(engine.outputs(), expected(graph), strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


@pytest.mark.parametrize("name", TARGETS)
def test_networks_give_the_right_outputs(name: str, evidence: FigureRecorder) -> None:
    runtime = opened(name)
    worst = 0.0
    for graph in networks():
        engine = runtime.prepare(graph, seed=0)
        assert engine.finite()
        worst = max(worst, difference(engine, graph))
    evidence.record(f"{name}: largest difference from ONNX Runtime on the CPU", worst, "of the largest output")
    assert worst <= TOLERANCES[parse_target(name, device="gpu").precision]


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_fp32_is_more_exact_than_tf32(runtime: str) -> None:
    """Each in a process of its own would be safer; within one, TF32 comes last, as a library may keep its switch."""
    graph = lower_part(PART)
    exact = difference(opened(f"{runtime}-fp32-cuda").prepare(graph, seed=0), graph)
    assert exact <= 2e-5
    assert difference(opened(f"{runtime}-tf32-cuda").prepare(graph, seed=0), graph) >= exact


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("option", ["", "-host", "-copies"])
def test_every_metric_is_measured(name: str, option: str, evidence: FigureRecorder) -> None:
    target = parse_target(f"{name}{option}", device="gpu")
    opened(target.local_name)
    with Session(SessionSettings(target, QUICK, "none", seed=0)) as session:
        (outcome,) = session.measure({"part": lower_part(PART)})
        assert session.environment["gpu"]
    assert outcome.failure is None
    latency_s = median(median(round_.samples_s) for round_ in outcome.rounds)
    evidence.record(f"{target.local_name}: {PART.label}", latency_s * 1e3, "ms")
    assert latency_s > 0.0


def test_replay_repeats_what_eager_runs_compute() -> None:
    graph = next(networks())
    eager, replayed = (opened(name).prepare(graph, seed=0) for name in ("torch-fp32-cuda", "torch-fp32-cuda-graph"))
    assert isinstance(replayed, SelfTimed)
    assert replayed.time_s(10) > 0.0
    pairs = zip(eager.outputs(), replayed.outputs(), strict=True)  # type: ignore[attr-defined]
    assert max(float(np.abs(one - other).max()) for one, other in pairs) <= 1e-3


def test_memory_that_runs_out_is_a_result() -> None:
    target = parse_target("torch-fp32-cuda", device="gpu")
    opened(target.local_name)
    too_large = lower_part(Part("sa", 1024, 2048, (96,), 96, attention="released"))
    with Session(SessionSettings(target, QUICK, "none", seed=0)) as session:
        outcomes = {o.name: o for o in session.measure({"too large": too_large, "small": lower_part(PART)})}
    failure = outcomes["too large"].failure
    assert failure is not None
    assert failure.kind == "out_of_memory"
    assert outcomes["small"].failure is None
