"""ONNX Runtime's GPU providers, driven through the whole run path on a simulated GPU."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from hyctas.weights import seeded_inputs
from profiler.runtimes import Unsupported
from profiler.runtimes.engine import Monitored, SelfTimed
from profiler.runtimes.onnxruntime_gpu import TF32_SWITCH, OnnxRuntimeGpu
from profiler.runtimes.seeded_model import seeded_onnx

STANDINS = Path(__file__).parents[1] / "standins"
REPLACED = ("simulated_gpu", "cuda", "pynvml", "standin_onnxruntime", "profiler.runtimes.tensorrt.cuda_python")
BOTH = ("CUDAExecutionProvider", "TensorrtExecutionProvider")
CONV = lower_part(Part("conv_2x", 6, 12, (8,), 8))
ARGMAX = lower_part(Part("argmax", 5, 7, (19,), 19))


@dataclass
class Simulated:
    """A machine with a simulated GPU, and what stands in for ONNX Runtime's GPU build on it."""

    gpu: Any
    standin: Any
    install: Callable[..., Any]

    def open(self, name: str) -> OnnxRuntimeGpu:
        return OnnxRuntimeGpu(parse_target(name, device="rtx-4090"))


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch, staged: object) -> Iterator[Simulated]:
    for name in ("shared", "cuda_bindings"):
        monkeypatch.syspath_prepend(str(STANDINS / name))
    monkeypatch.setenv(TF32_SWITCH, "1")
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in REPLACED}
    before |= {name: sys.modules.pop(name) for name in REPLACED if name in sys.modules}
    standin = import_module("standin_onnxruntime")

    def install(available: tuple[str, ...] = BOTH, **faults: Any) -> Any:
        module = standin.OnnxRuntimeGpu(available, **faults)
        monkeypatch.setattr("profiler.runtimes.onnxruntime_gpu.ort", module)
        return module

    install()
    gpu = import_module("simulated_gpu").gpu()
    yield Simulated(gpu, standin, install)
    gc.collect()
    report = gpu.report()
    for name in [name for name in sys.modules if name.split(".")[0] in REPLACED or name in REPLACED]:
        del sys.modules[name]
    sys.modules.update(before)
    assert report["misuses"] == standin.Session.late == report["leaked_handles"] == report["leaked_allocations"] == []
    assert report["leaked_pinned"] == 0


def reference(graph: Graph, precision: str) -> list[npt.NDArray[Any]]:
    import onnxruntime as ort

    model = seeded_onnx(graph, seed=0, precision=precision)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: list[npt.NDArray[Any]] = session.run(None, seeded_inputs(graph, 0))
    return found


def a_network() -> Graph:
    settings = ArchitectureDefaults(height=64, width=64, base_channels=4)
    (network,) = sample_structured(SearchSpace(depth=7), np.random.default_rng(0), 1, settings)
    return lower(network, training=True)


@pytest.mark.parametrize("graph", [CONV, ARGMAX, a_network()], ids=lambda graph: graph.name)
@pytest.mark.parametrize(
    "name", ["onnxruntime-fp32-cuda", "onnxruntime-fp16-cuda-graph", "onnxruntime-int8-tensorrt-host"]
)
def test_outputs_come_back_from_the_device(simulated: Simulated, name: str, graph: Graph) -> None:
    engine = simulated.open(name).prepare(graph, seed=0)
    assert engine.finite()
    wanted = reference(graph, name.split("-")[1])
    assert all(np.array_equal(one, other) for one, other in zip(engine.outputs(), wanted, strict=True))


def test_compute_time_is_the_device_s(simulated: Simulated) -> None:
    runtime = simulated.open("onnxruntime-fp32-cuda")
    engine = runtime.prepare(CONV, seed=0)
    assert isinstance(engine, SelfTimed)
    assert isinstance(runtime, Monitored)
    assert engine.time_s(8) == pytest.approx(simulated.standin.RUN_S, rel=0.1)


@pytest.mark.parametrize(("option", "copies"), [("host", 0), ("copies", 1)])
def test_host_time_copies_only_where_the_metric_says_so(simulated: Simulated, option: str, copies: int) -> None:
    runtime = simulated.open(f"onnxruntime-fp32-cuda-{option}")
    engine = runtime.prepare(CONV, seed=0)
    before = simulated.gpu.scenario.counts["cudaMemcpyAsync"]
    assert engine.time_s(3) > 0.0
    assert simulated.gpu.scenario.counts["cudaMemcpyAsync"] - before == copies * 3 * 2
    assert simulated.gpu.pageable_copies == 0


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("onnxruntime-fp32-cuda", "use_tf32", "0"),
        ("onnxruntime-tf32-cuda", "use_tf32", "1"),
        ("onnxruntime-fp32-cuda", "enable_cuda_graph", "0"),
        ("onnxruntime-fp16-cuda-graph", "enable_cuda_graph", "1"),
        ("onnxruntime-fp32-tensorrt", "trt_fp16_enable", "0"),
        ("onnxruntime-fp16-tensorrt", "trt_fp16_enable", "1"),
        ("onnxruntime-int8-tensorrt", "trt_int8_enable", "1"),
        ("onnxruntime-fp16-tensorrt-graph", "trt_cuda_graph_enable", "1"),
        ("onnxruntime-fp16-tensorrt", "trt_auxiliary_streams", "0"),
    ],
)
def test_provider_is_told_what_the_target_says(simulated: Simulated, name: str, option: str, value: str) -> None:
    standin = simulated.install()
    runtime = simulated.open(name)
    runtime.prepare(CONV, seed=0)
    assert standin.preloaded
    assert standin.opened[-1][option] == value
    assert runtime.environment()[f"provider {option}"] == value
    assert runtime.metric == "compute_time"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_tf32_is_off_in_the_whole_process_unless_asked_for(simulated: Simulated, provider: str) -> None:
    simulated.open(f"onnxruntime-fp32-{provider}")
    assert os.environ[TF32_SWITCH] == "0"
    simulated.open(f"onnxruntime-tf32-{provider}")
    assert TF32_SWITCH not in os.environ


def test_missing_provider_says_what_to_install(simulated: Simulated) -> None:
    simulated.install(())
    with pytest.raises(RuntimeUnavailable, match=r"here has no CUDAExecutionProvider; .*onnxruntime-gpu"):
        simulated.open("onnxruntime-fp16-cuda")


def test_provider_that_cannot_be_loaded_is_told_from_nodes_that_it_does_not_take(simulated: Simulated) -> None:
    simulated.install(loads=False)
    with pytest.raises(RuntimeUnavailable, match=r"cannot load it .* names the library that is missing"):
        simulated.open("onnxruntime-fp16-cuda")


def test_node_that_the_provider_does_not_take_is_unsupported(simulated: Simulated) -> None:
    simulated.install(refuses="ArgMax")
    runtime = simulated.open("onnxruntime-fp16-tensorrt")
    runtime.prepare(CONV, seed=0)
    with pytest.raises(Unsupported, match=r"TensorrtExecutionProvider does not take every node: .*explicitly disabled"):
        runtime.prepare(ARGMAX, seed=0)


@pytest.mark.parametrize(
    "name",
    [
        "onnxruntime-int8-cuda",
        "onnxruntime-bf16-tensorrt",
        "onnxruntime-fp16-cuda-compiled",
        "onnxruntime-fp16-cuda-host-graph",
        "onnxruntime-fp16-graph-cuda",
        "onnxruntime-fp16-cuda-graph-graph",
    ],
)
def test_what_is_not_offered_names_what_is(name: str) -> None:
    target = parse_target(name, device="bench")
    with pytest.raises(Unsupported, match=r"fp32, tf32, fp16 with cuda, .* then any of graph and one of host, copies"):
        OnnxRuntimeGpu(target)
