"""TensorRT on a real GPU: results in every precision, times that mean something, layers, memory, both bindings."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
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
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt.cuda import BINDINGS, Cuda, open_cuda, prefer_binding
from profiler.runtimes.tensorrt.engine import TensorRtEngine
from profiler.runtimes.tensorrt.runtime import TensorRtRuntime
from profiler.session import Session, SessionSettings

pytestmark = pytest.mark.gpu

TOLERANCES = {"fp32": 1e-3, "tf32": 1e-2, "fp16": 0.03, "bf16": 0.15, "int8": 0.15}
"""Largest difference to ONNX Runtime on the CPU, as a share of the largest output; int8 against its own model there."""
HEAVY = ("conv", "matmul", "softmax")
"""Nodes that cannot be optimised away, so that a layer has to claim them."""
SAMPLES = 30
Open = Callable[[str], TensorRtRuntime]


@pytest.fixture(autouse=True)
def first_binding() -> Iterator[None]:
    prefer_binding(None)
    yield
    prefer_binding(None)


@pytest.fixture
def open_target(tmp_path: Path) -> Open:
    """Opens a target, or skips with the reason why this machine has it not."""

    def opened(name: str) -> TensorRtRuntime:
        try:
            return TensorRtRuntime(parse_target(f"gpu/tensorrt-{name}"), cache_folder=tmp_path)
        except (RuntimeUnavailable, Unsupported) as reason:
            pytest.skip(str(reason))

    return opened


@pytest.fixture(params=["operator", "network"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """An attention at 512 x 1024, and a network of several branches at 256 x 512."""
    if request.param == "operator":
        return lower_part(Part("sa", 32, 64, (48,), 48, attention="efficient"))
    settings = ArchitectureDefaults(height=256, width=512, base_channels=8)
    (network,) = sample_structured(SearchSpace(depth=9), np.random.default_rng(7), 1, settings)
    return lower(network)


@pytest.fixture
def network() -> Graph:
    settings = ArchitectureDefaults(height=256, width=512, base_channels=8)
    (network,) = sample_structured(SearchSpace(depth=9), np.random.default_rng(7), 1, settings)
    return lower(network)


def median_s(engine: TensorRtEngine, repeats: int = 20) -> float:
    return median(engine.time_s(repeats) for _ in range(SAMPLES))


def on_cpu(graph: Graph, precision: str) -> list[Any]:
    """What ONNX Runtime computes: in float32, and for int8 from the quantised model."""
    ort = pytest.importorskip("onnxruntime")
    model = seeded_onnx(graph, precision="int8" if precision == "int8" else "fp32", seed=0)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(list(graph.outputs), seeded_inputs(graph, 0))
    return outputs


@pytest.mark.parametrize("precision", TOLERANCES)
def test_outputs_are_those_of_the_cpu(precision: str, graph: Graph, open_target: Open, evidence: Any) -> None:
    engine = open_target(precision).prepare(graph, seed=0)
    assert engine.finite()
    for found, right in zip(engine.outputs(), on_cpu(graph, precision), strict=True):
        difference = float(np.abs(found - right).max() / np.abs(right).max())
        evidence.record(f"largest difference, {precision}, {graph.name}", difference, "of the largest output")
        assert difference <= TOLERANCES[precision]


@pytest.mark.parametrize("precision", TOLERANCES)
def test_latency_repeats(precision: str, graph: Graph, open_target: Open, evidence: Any) -> None:
    engine = open_target(precision).prepare(graph, seed=0)
    median_s(engine)  # clocks rise
    first, second = median_s(engine), median_s(engine)
    evidence.record(f"latency, {precision}, {graph.name}", 1e3 * first, "ms")
    evidence.record(f"difference of two medians, {precision}, {graph.name}", abs(first - second) / first, "relative")
    assert first > 0.0
    assert abs(first - second) <= 0.1 * first


def test_number_of_runs_in_a_sample_does_not_matter(network: Graph, open_target: Open, evidence: Any) -> None:
    engine = open_target("fp16").prepare(network, seed=0)
    median_s(engine)
    one, many = median_s(engine, 1), median_s(engine, 50)
    evidence.record("one run a sample over fifty", one / many, "ratio")
    assert one <= 1.25 * many


def test_replay_is_no_slower_than_plain_enqueue(network: Graph, open_target: Open, evidence: Any) -> None:
    replayed, enqueued = (open_target(name).prepare(network, seed=0) for name in ("fp16", "fp16-enqueue"))
    times = [median_s(engine) for engine in (replayed, enqueued, replayed, enqueued)]
    for name, engine, time_s in (("graph", replayed, times[2]), ("enqueue", enqueued, times[3])):
        evidence.record(f"latency by {name}", 1e3 * time_s, "ms")
        evidence.record(f"launch-bound by {name}", engine.facts()["launch_bound"])
    assert times[2] <= 1.1 * times[3]


def test_cold_cache_is_no_faster(network: Graph, open_target: Open, evidence: Any) -> None:
    warm, cold = (open_target(name).prepare(network, seed=0) for name in ("fp16", "fp16-l2flush"))
    times = [median_s(engine) for engine in (warm, cold, warm, cold)]
    evidence.record("cold L2 over warm", times[3] / times[2], "ratio")
    assert times[3] >= 0.95 * times[2]


def test_metrics_contain_one_another(network: Graph, open_target: Open, evidence: Any) -> None:
    engines = [open_target(name).prepare(network, seed=0) for name in ("fp16", "fp16-host", "fp16-copies")]
    for engine in engines:
        median_s(engine)
    compute, host, copies = (median_s(engine) for engine in engines)
    for name, time_s in (("compute time", compute), ("host time", host), ("host time with copies", copies)):
        evidence.record(name, 1e3 * time_s, "ms")
    assert compute <= 1.05 * host <= 1.1 * copies


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_layers_claim_every_node_that_does_work(precision: str, graph: Graph, open_target: Open, evidence: Any) -> None:
    engine = open_target(precision).prepare(graph, seed=0)
    layers = engine.layers()
    claimed = {node for layer in layers for node in layer.nodes}
    heavy = {node.name for node in graph.nodes if node.op in HEAVY}
    evidence.record(f"layers, {precision}, {graph.name}", len(layers))
    evidence.record(f"nodes in layers, {precision}, {graph.name}", f"{len(claimed)} of {len(graph.nodes)}")
    evidence.record(f"layers without nodes, {precision}, {graph.name}", sum(not layer.nodes for layer in layers))
    assert heavy <= claimed
    assert sum(layer.latency_s for layer in layers) > 0.0


@pytest.mark.parametrize("name", ["fp32", "fp16-l2flush", "fp16-copies"])
def test_closed_engines_give_their_memory_back(name: str, network: Graph, open_target: Open, evidence: Any) -> None:
    runtime = open_target(name)
    runtime.prepare(network, seed=0).close()  # what the libraries keep, they keep from here on
    gc.collect()
    before = open_cuda().memory().used_bytes
    for _ in range(5):
        engine = runtime.prepare(network, seed=0)
        engine.layers()
        held = engine.memory.device_bytes
        engine.close()
        del engine
        gc.collect()
    grown = open_cuda().memory().used_bytes - before
    evidence.record(f"memory of an engine, {name}", held / 2**20, "MiB")
    evidence.record(f"memory that five engines left behind, {name}", grown / 2**20, "MiB")
    assert grown <= max(held, 2 << 20)


def fill(cuda: Cuda, resources: ExitStack) -> None:
    """Allocate whatever is free, down to a MiB."""
    size = cuda.memory().free_bytes
    while size >= 1 << 20:
        try:
            resources.callback(cuda.free, cuda.malloc(size))
        except MemoryError:
            size //= 2


def test_memory_that_runs_out_is_told_and_got_over(network: Graph, open_target: Open, evidence: Any) -> None:
    runtime, cuda = open_target("fp32"), open_cuda()
    runtime.prepare(network, seed=0).close()
    with ExitStack() as resources:
        fill(cuda, resources)
        with pytest.raises(MemoryError) as raised:
            runtime.prepare(network, seed=0)
    evidence.record("message of a full device", str(raised.value)[:200])
    assert runtime.prepare(network, seed=0).finite()


@pytest.mark.parametrize("binding", BINDINGS)
def test_both_bindings_compute_and_time_alike(binding: str, network: Graph, open_target: Open, evidence: Any) -> None:
    prefer_binding(binding)
    runtime = open_target("fp16")
    engine = runtime.prepare(network, seed=0)
    median_s(engine)
    evidence.record(f"latency through {runtime.environment()['cuda_binding']}", 1e3 * median_s(engine), "ms")
    (found, *_), (right, *_) = engine.outputs(), on_cpu(network, "fp16")
    assert np.abs(found - right).max() <= TOLERANCES["fp16"] * np.abs(right).max()


def test_environment_and_conditions_are_read(open_target: Open, evidence: Any) -> None:
    runtime = open_target("fp16")
    for name, value in sorted(runtime.environment().items()):
        evidence.record(name, value)
    conditions = runtime.conditions()
    evidence.record("sm clock", (conditions.sm_clock_hz or 0.0) / 1e6, "MHz")
    evidence.record("temperature", conditions.temperature_c or 0.0, "degrees Celsius")
    assert {"tensorrt", "cuda_runtime", "cuda_driver", "cuda_binding", "launch"} <= set(runtime.environment())


def test_measuring_process_measures_by_events(network: Graph, evidence: Any) -> None:
    settings = SessionSettings(parse_target("gpu/tensorrt-fp16"), Protocol(max_rounds=8), "none", seed=0)
    try:
        session = Session(settings)
    except RuntimeUnavailable as reason:
        pytest.skip(str(reason))
    with session:
        (outcome,) = session.measure({"network": network})
        evidence.record("call floor", 1e6 * session.call_floor_s, "us")
    assert outcome.failure is None
    medians = [median(round_.samples_s) for round_ in outcome.rounds]
    evidence.record("latency in a measuring process", 1e3 * median(medians), "ms")
    evidence.record("spread over its rounds", (max(medians) - min(medians)) / median(medians), "relative")
    assert all(round_.conditions is not None for round_ in outcome.rounds)
