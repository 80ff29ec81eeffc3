"""Engines on a simulated GPU, under TensorRT 10 and 11: right results and times, nothing left behind, faults told."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyctas.builder import GraphBuilder
from hyctas.graph import Graph
from hyctas.layers import conv_bn_relu
from hyctas.lowering import lower_part
from hyctas.measurement import Protocol
from hyctas.parts import Part
from hyctas.target import parse_target
from hyctas.weights import seeded_inputs
from profiler.layers import profile_layers
from profiler.runtimes.engine import Described, Engine, Layered, Monitored, Runtime, SelfTimed, Unsupported
from profiler.runtimes.tensorrt.cuda import CudaOutOfMemory, DeviceLost
from profiler.runtimes.tensorrt.engine import TensorRtEngine
from profiler.runtimes.tensorrt.loading import EngineFailed, EngineOutOfMemory
from profiler.runtimes.tensorrt.runtime import TensorRtRuntime
from profiler.runtimes.tensorrt.timing import LEAD_IN_BELOW_S, Sample
from profiler.session import SessionSettings

TARGETS = ("fp32", "tf32", "fp16", "bf16", "int8", "fp16-enqueue", "fp16-l2flush", "fp16-host", "fp16-copies")


@pytest.fixture
def version(on_device: Any) -> str:
    return str(on_device.simulation.version)


@pytest.fixture
def gpu(on_device: Any) -> Iterator[Any]:
    """The simulated GPU of this process; at the end nothing may be left on it, and nothing have been misused."""
    device = on_device.gpu()
    yield device
    gc.collect()
    report = device.report()
    assert {name: left for name, left in report.items() if left and name.startswith("leaked")} == {}
    assert (report["misuses"], report["all_zero_inputs"], report["pageable_copies"]) == ([], 0, 0)


Open = Callable[[str], TensorRtRuntime]


@pytest.fixture
def open_target(gpu: Any, tmp_path: Path) -> Open:
    def opened(name: str) -> TensorRtRuntime:
        return TensorRtRuntime(parse_target(f"bench/tensorrt-{name}"), cache_folder=tmp_path)

    return opened


@pytest.fixture
def graph() -> Graph:
    return lower_part(Part("sa", 6, 12, (16,), 16, attention="efficient"))


def fails(gpu: Any, call: str, **what: Any) -> None:
    """Have a call of the simulated GPU fail from now on."""
    fault = importlib.import_module("simulated_gpu").Fault
    gpu.scenario.faults = (*gpu.scenario.faults, fault(call, **what))


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_computes_what_the_graph_says(name: str, open_target: Open, graph: Graph) -> None:
    ort = pytest.importorskip("onnxruntime")
    from profiler.runtimes.seeded_model import seeded_onnx

    session = ort.InferenceSession(seeded_onnx(graph, precision="fp32", seed=3), providers=["CPUExecutionProvider"])
    expected = session.run(list(graph.outputs), seeded_inputs(graph, 3))
    engine = open_target(name).prepare(graph, seed=3)
    tolerance = {"fp3": 1e-5, "tf3": 1e-5, "int": 0.15}.get(name[:3], 0.03)
    for found, right in zip(engine.outputs(), expected, strict=True):
        assert np.abs(found - right).max() <= tolerance * np.abs(right).max()
    assert engine.finite()


def test_runtime_and_engine_offer_what_the_profiler_looks_for(open_target: Open, graph: Graph) -> None:
    runtime: Runtime = open_target("fp16")
    engine: Engine = runtime.prepare(graph, seed=0)
    assert isinstance(runtime, Monitored)
    assert isinstance(engine, SelfTimed)
    assert isinstance(engine, Layered)
    assert isinstance(engine, Described)


@pytest.mark.parametrize(
    ("name", "metric"), [("fp32", "compute_time"), ("fp32-host", "host_time"), ("fp32-copies", "host_time_with_copies")]
)
def test_metric_is_what_the_name_says(name: str, metric: str, open_target: Open) -> None:
    assert open_target(name).metric == metric


def device_time_s(gpu: Any, engine: TensorRtEngine, factor: float = 1.0) -> float:
    """What the layers of an engine take on the simulated clock."""
    return float(sum(engine._engine._plan.times_s)) * factor


@pytest.mark.parametrize("repeats", [1, 7])
def test_compute_time_is_that_of_the_device_however_many_runs(
    repeats: int, gpu: Any, open_target: Open, graph: Graph
) -> None:
    engine = open_target("fp32").prepare(graph, seed=0)
    resolution_s = gpu.scenario.times.event_resolution_s
    assert engine.time_s(repeats) == pytest.approx(device_time_s(gpu, engine), abs=resolution_s)


def test_plain_enqueue_is_launch_bound_where_the_host_is_slower(gpu: Any, open_target: Open, graph: Graph) -> None:
    replayed = open_target("fp32").prepare(graph, seed=0)
    enqueued = open_target("fp32-enqueue").prepare(graph, seed=0)
    launches = len(replayed._engine._plan.layers) * gpu.scenario.times.kernel_launch_s
    assert launches > device_time_s(gpu, replayed)
    assert enqueued.time_s(50) == pytest.approx(launches, rel=0.05)
    assert replayed.time_s(50) < 0.6 * launches


def test_sample_says_whether_launching_may_be_what_was_timed() -> None:
    assert Sample(run_s=1e-3, enqueue_s=0.95e-3).launch_bound
    assert not Sample(run_s=1e-3, enqueue_s=0.5e-3).launch_bound


def test_facts_tell_memory_and_launching(open_target: Open, graph: Graph) -> None:
    engine = open_target("fp32").prepare(graph, seed=0)
    assert "launch_bound" not in engine.facts()
    engine.time_s(3)
    facts = engine.facts()
    tensors = sum(graph.values[name].size_bytes for name in (graph.inputs[0].name, *graph.outputs))
    assert int(facts["tensors_bytes"]) == tensors
    assert int(facts["device_bytes"]) >= tensors + int(facts["scratch_bytes"])
    assert int(facts["plan_bytes"]) > 0
    assert facts["launch_bound"].endswith("of 1 samples")


@pytest.mark.parametrize("repeats", [1, 40])
def test_flush_finds_a_cold_cache_before_each_run_and_is_not_timed(
    repeats: int, gpu: Any, open_target: Open, graph: Graph
) -> None:
    engine = open_target("fp32-l2flush").prepare(graph, seed=0)
    cold_s = device_time_s(gpu, engine, gpu.scenario.times.cold_factor)
    assert engine.time_s(repeats) == pytest.approx(cold_s, abs=gpu.scenario.times.event_resolution_s)


def test_long_run_goes_without_a_lead_in(gpu: Any, open_target: Open, graph: Graph) -> None:
    engine = open_target("fp32").prepare(graph, seed=0)
    launches = gpu.scenario.counts
    engine.time_s(1)
    before = launches["cudaGraphLaunch"]
    engine.time_s(1)
    assert launches["cudaGraphLaunch"] - before == 2
    engine._timer._run_s = 2 * LEAD_IN_BELOW_S  # type: ignore[attr-defined]
    engine.time_s(1)
    assert launches["cudaGraphLaunch"] - before == 3


@pytest.mark.parametrize(("name", "copies"), [("fp32-host", 0), ("fp32-copies", 2)])
def test_host_time_copies_where_the_name_says_so(
    name: str, copies: int, gpu: Any, open_target: Open, graph: Graph
) -> None:
    engine = open_target(name).prepare(graph, seed=0)
    counts = gpu.scenario.counts
    before = counts["cudaMemcpyAsync"], counts["cudaStreamSynchronize"]
    assert engine.time_s(5) > 0.0
    assert counts["cudaMemcpyAsync"] - before[0] == 5 * copies
    assert counts["cudaStreamSynchronize"] - before[1] == 5


def test_host_time_with_a_flush_waits_for_it_first(gpu: Any, open_target: Open, graph: Graph) -> None:
    engine = open_target("fp32-l2flush-host").prepare(graph, seed=0)
    before = gpu.scenario.counts["cudaStreamSynchronize"]
    engine.time_s(3)
    assert gpu.scenario.counts["cudaStreamSynchronize"] - before == 6


@pytest.mark.parametrize("name", ["fp32", "fp16", "int8"])
def test_layers_cover_every_node_and_their_times_are_not_the_latency(
    name: str, open_target: Open, graph: Graph
) -> None:
    engine = open_target(name).prepare(graph, seed=0)
    latency_s = engine.time_s(10)
    layers = engine.layers()
    assert {node for layer in layers for node in layer.nodes} == {node.name for node in graph.nodes}
    assert sum(layer.latency_s for layer in layers) > latency_s
    assert engine.time_s(10) == pytest.approx(latency_s)


def test_engines_are_freed_when_closed_or_dropped(gpu: Any, open_target: Open, graph: Graph) -> None:
    runtime = open_target("fp16-l2flush")
    closed, dropped = runtime.prepare(graph, seed=0), runtime.prepare(graph, seed=0)
    assert gpu.memory.used > 0
    closed.close()
    closed.close()
    del dropped
    gc.collect()
    assert (gpu.memory.used, gpu.live_handles()) == (0, [])


def test_two_engines_live_side_by_side(open_target: Open, graph: Graph) -> None:
    runtime = open_target("fp32")
    first, second = runtime.prepare(graph, seed=0), runtime.prepare(graph, seed=1)
    before = first.outputs()[0]
    second.run()
    assert np.array_equal(first.outputs()[0], before)
    assert not np.array_equal(second.outputs()[0], before)


def test_environment_names_versions_and_how_it_runs(open_target: Open, version: str) -> None:
    found = open_target("fp16-enqueue").environment()
    assert found["tensorrt"].startswith(f"{version}.")
    assert found["cuda_binding"].startswith("cuda-python")
    assert found["launch"] == "enqueue"
    assert found["l2"] == "as the run before left it"
    assert found["border"] == "float32 inputs and outputs, casts inside"
    assert {"cuda_runtime", "cuda_driver", "workspace", "auxiliary_streams", "timing_iterations"} <= set(found)


def test_integer_output_is_read(open_target: Open) -> None:
    b = GraphBuilder("argmax")
    features = conv_bn_relu(b, b.input("x", (1, 3, 8, 8)), 4, kernel=3, name="conv")
    graph = b.build(b.append("argmax", (features,)))
    (found,) = open_target("fp32").prepare(graph, seed=0).outputs()
    assert found.dtype.kind == "i"
    assert found.shape == (1, 1, 8, 8)


def test_run_that_cannot_be_captured_suggests_enqueue(gpu: Any, open_target: Open, graph: Graph) -> None:
    gpu.scenario.capturable = False
    with pytest.raises(Unsupported, match=r"cannot be captured into a CUDA graph \(.*\); .*option enqueue"):
        open_target("fp32").prepare(graph, seed=0)
    assert open_target("fp32-enqueue").prepare(graph, seed=0).finite()


@pytest.mark.parametrize("call", ["cudaStreamBeginCapture", "cudaGraphInstantiate"])
def test_capture_that_fails_in_cuda_suggests_enqueue(call: str, gpu: Any, open_target: Open, graph: Graph) -> None:
    runtime = open_target("fp32")
    fails(gpu, call, error="cudaErrorStreamCaptureUnsupported")
    with pytest.raises(Unsupported, match=r"cudaErrorStreamCaptureUnsupported.*option enqueue"):
        runtime.prepare(graph, seed=0)


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaHostAlloc", "cudaGraphInstantiate"])
def test_memory_that_runs_out_is_a_result_and_leaves_nothing(
    call: str, gpu: Any, open_target: Open, graph: Graph
) -> None:
    runtime = open_target("fp32")
    fails(gpu, call, error="cudaErrorMemoryAllocation")
    with pytest.raises(CudaOutOfMemory, match=f"{call} failed with cudaErrorMemoryAllocation"):
        runtime.prepare(graph, seed=0)
    gc.collect()
    assert gpu.memory.used == 0


@pytest.mark.parametrize("call", ["deserialize_cuda_engine", "create_execution_context"])
def test_engine_that_does_not_load_says_what_tensorrt_said(
    call: str, gpu: Any, open_target: Open, graph: Graph
) -> None:
    runtime = open_target("fp32")
    fails(gpu, call, message="Error Code 1: Serialization (magic tag)")
    with pytest.raises(EngineFailed, match=f"{call} failed: Error Code 1") as raised:
        runtime.prepare(graph, seed=0)
    assert not isinstance(raised.value, MemoryError)


def test_context_that_does_not_fit_is_out_of_memory(gpu: Any, open_target: Open, graph: Graph) -> None:
    runtime = open_target("fp32")
    fails(gpu, "create_execution_context", message="Error Code 2: OutOfMemory (Requested size was 999 bytes.)")
    with pytest.raises(EngineOutOfMemory, match="OutOfMemory"):
        runtime.prepare(graph, seed=0)


def test_run_that_tensorrt_refuses_fails_with_its_words(gpu: Any, open_target: Open, graph: Graph) -> None:
    engine = open_target("fp32-enqueue").prepare(graph, seed=0)
    fails(gpu, "execute_async_v3", message="Error Code 3: API Usage Error")
    with pytest.raises(EngineFailed, match="execute_async_v3 failed: Error Code 3"):
        engine.run()


def test_lost_device_ends_the_process_instead_of_failing_one_workload(
    gpu: Any, open_target: Open, graph: Graph
) -> None:
    engine = open_target("fp32").prepare(graph, seed=0)
    fails(gpu, "cudaStreamSynchronize", error="cudaErrorIllegalAddress")
    with pytest.raises(DeviceLost, match="cudaErrorIllegalAddress"):
        engine.time_s(3)
    gpu.scenario.faults = ()


def test_run_that_fails_because_the_device_is_lost_says_that(gpu: Any, open_target: Open, graph: Graph) -> None:
    engine = open_target("fp32-enqueue").prepare(graph, seed=0)
    fails(gpu, "execute_async_v3", message="Cuda Runtime (an illegal memory access was encountered)")
    fails(gpu, "cudaStreamSynchronize", error="cudaErrorIllegalAddress")
    with pytest.raises(DeviceLost, match="cudaErrorIllegalAddress"):
        engine.run()
    gpu.scenario.faults = ()


@pytest.mark.parametrize("error", ["cudaErrorNoDevice", "cudaErrorInsufficientDriver"])
def test_machine_without_device_is_told_before_tensorrt_is_touched(error: str, gpu: Any, open_target: Open) -> None:
    from hyctas.errors import RuntimeUnavailable

    fails(gpu, "cudaGetDeviceCount", error=error)
    with pytest.raises(RuntimeUnavailable, match=f"no CUDA device .cudaGetDeviceCount says {error}"):
        open_target("fp32")


def test_layers_come_with_what_the_engine_says_about_itself(simulation: Any, graph: Graph) -> None:
    target = parse_target("rtx-4090/tensorrt-fp16-enqueue")
    report = profile_layers(graph, SessionSettings(target, Protocol(max_rounds=5), "none", seed=0))
    assert {node for layer in report.layers for node in layer.nodes} == {node.name for node in graph.nodes}
    assert int(report.measurement.engine["device_bytes"]) > int(report.measurement.engine["tensors_bytes"]) > 0
    assert float(report.measurement.engine["enqueue_s"]) > 0.0
    assert "launch_bound" in report.measurement.engine


def test_unknown_option_lists_the_known_ones(open_target: Open) -> None:
    with pytest.raises(Unsupported, match="l2flush"):
        open_target("fp32-fast")
