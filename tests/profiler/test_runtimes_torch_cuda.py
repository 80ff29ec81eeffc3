"""Torch on a GPU, as far as a machine without one tells: what is refused, and the run path on a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.target import parse_target
from hyctas.weights import seeded_inputs
from profiler.runtimes import Runtime, Unsupported, open_runtime
from profiler.runtimes.engine import Monitored, SelfTimed
from profiler.runtimes.seeded_model import seeded_onnx

torch = pytest.importorskip("torch")

RUN_MS = 0.05
CONV = lower_part(Part("conv_2x", 6, 12, (8,), 8))
ARGMAX = lower_part(Part("argmax", 5, 7, (19,), 19))
TOLERANCES = {"fp32": 1e-5, "tf32": 1e-5, "fp16": 5e-3, "bf16": 5e-2}
"""The stand-in computes tf32 in float32."""


@dataclass
class SimulatedCuda:
    """What torch.cuda is asked for: a clock that each launch of a run moves on, and the order of calls."""

    capability: tuple[int, int] = (8, 9)
    capturing: bool = False
    fails_to_capture: Exception | None = None
    now_ms: float = 0.0
    log: list[str] = field(default_factory=list)

    def synchronize(self) -> None:
        assert not self.capturing, "synchronised while capturing"
        self.log.append("synchronize")

    def launched(self) -> None:
        self.log.append("launch")
        if not self.capturing:
            self.now_ms += RUN_MS

    @contextmanager
    def graph(self, graph: Any) -> Iterator[None]:
        assert self.log.count("launch") == 3, "captured without a warm-up"
        if self.fails_to_capture is not None:
            raise self.fails_to_capture
        self.capturing = True
        yield
        self.capturing = False
        graph.captured = True

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.log.append("side stream")
        yield
        self.log.append("main stream")


class Stream:
    def wait_stream(self, other: Stream) -> None:
        assert isinstance(other, Stream)


def a_class_of_graphs(cuda: SimulatedCuda) -> type:
    class CudaGraph:
        captured = False

        def replay(self) -> None:
            assert self.captured
            cuda.launched()

    return CudaGraph


def a_class_of_events(cuda: SimulatedCuda) -> type:
    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing
            self.at_ms: float | None = None
            self.done = False

        def record(self) -> None:
            self.at_ms, self.done = cuda.now_ms, False

        def synchronize(self) -> None:
            assert self.at_ms is not None
            self.done = True

        def elapsed_time(self, other: Any) -> float:
            assert other.done and self.at_ms is not None
            return float(other.at_ms - self.at_ms)

    return Event


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedCuda]:
    """Let the device be the CPU, on a machine that says it has a GPU."""
    found = SimulatedCuda()
    for name, value in {
        "is_available": lambda: True,
        "get_device_capability": lambda: found.capability,
        "get_device_name": lambda: "NVIDIA GeForce GTX 1080 Ti",
        "synchronize": found.synchronize,
        "graph": found.graph,
        "stream": found.stream,
        "Stream": Stream,
        "current_stream": Stream,
        "CUDAGraph": a_class_of_graphs(found),
        "Event": a_class_of_events(found),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr("profiler.runtimes.torch_cuda.DEVICE", "cpu")
    monkeypatch.setattr("profiler.runtimes.torch_cuda_engine.page_locked", torch.empty_like)
    backends = torch.backends
    before = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.benchmark
    yield found
    backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.benchmark = before


def opened(name: str, cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A runtime whose every run counts as a launch."""
    runtime = open_runtime(parse_target(name, device="rtx-4090"))
    make_forward = runtime._forward  # type: ignore[attr-defined]

    def counted(module: Any) -> Any:
        forward = make_forward(module)

        def run(*inputs: Any) -> Any:
            cuda.launched()
            return forward(*inputs)

        return run

    monkeypatch.setattr(runtime, "_forward", counted)
    return runtime


def worst(engine: Any, graph: Any) -> float:
    import onnxruntime as ort

    session = ort.InferenceSession(seeded_onnx(graph, seed=0), providers=["CPUExecutionProvider"])
    pairs = zip(engine.outputs(), session.run(None, seeded_inputs(graph, 0)), strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


@pytest.mark.parametrize("options", ["", "-channels-last", "-graph", "-host", "-copies", "-graph-channels-last-copies"])
@pytest.mark.parametrize("precision", TOLERANCES)
def test_outputs_are_right(precision: str, options: str, cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = opened(f"torch-{precision}-cuda{options}", cuda, monkeypatch)
    engine = runtime.prepare(CONV, seed=0)
    assert engine.finite()
    assert engine.outputs()[0].dtype == np.float32  # type: ignore[attr-defined]
    assert worst(engine, CONV) <= TOLERANCES[precision]
    assert isinstance(runtime, Monitored)


def test_classes_stay_integers(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened("torch-fp16-cuda", cuda, monkeypatch).prepare(ARGMAX, seed=0)
    assert engine.outputs()[0].dtype == np.int64  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", ["", "-graph"])
def test_compute_time_is_between_events(options: str, cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(f"torch-fp32-cuda{options}", cuda, monkeypatch).prepare(CONV, seed=0)
    assert isinstance(engine, SelfTimed)
    cuda.log.clear()
    assert engine.time_s(7) == pytest.approx(RUN_MS * 1e-3)
    assert cuda.log == ["launch"] * 7


@pytest.mark.parametrize("option", ["host", "copies"])
def test_host_times_runs_until_the_result_is_there(
    option: str, cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = opened(f"torch-fp32-cuda-{option}", cuda, monkeypatch)
    engine = runtime.prepare(CONV, seed=0)
    assert not isinstance(engine, SelfTimed)
    cuda.log.clear()
    engine.run()
    assert cuda.log == ["launch", "synchronize"]


def test_warm_up_before_a_capture_is_on_a_side_stream(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    opened("torch-fp16-cuda-graph", cuda, monkeypatch).prepare(CONV, seed=0)
    assert cuda.log == ["side stream", *["launch"] * 3, "main stream", "launch"]


def test_run_that_cannot_be_captured_is_unsupported(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = opened("torch-fp16-cuda-graph", cuda, monkeypatch)
    cuda.fails_to_capture = RuntimeError("operation not permitted when stream is capturing")
    with pytest.raises(Unsupported, match=r"not permitted .*; measure it without graph"):
        runtime.prepare(CONV, seed=0)


def test_memory_that_runs_out_in_a_capture_is_no_lack_of_support(
    cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = opened("torch-fp16-cuda-graph", cuda, monkeypatch)
    cuda.fails_to_capture = torch.cuda.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(torch.cuda.OutOfMemoryError):
        runtime.prepare(CONV, seed=0)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", False), ("fp16", False), ("tf32", True)])
def test_tf32_is_as_the_name_says_in_both_libraries(precision: str, expected: bool, cuda: SimulatedCuda) -> None:
    open_runtime(parse_target(f"torch-{precision}-cuda", device="rtx-4090"))
    assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is expected
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_precision_that_the_gpu_lacks_is_refused(precision: str, cuda: SimulatedCuda) -> None:
    cuda.capability = (6, 1)
    with pytest.raises(Unsupported, match=f"GTX 1080 Ti does not compute in {precision}"):
        open_runtime(parse_target(f"torch-{precision}-cuda", device="gtx-1080-ti"))


def test_overflow_of_fp16_weights_is_not_finite(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    import profiler.runtimes.torch as ours

    def large(graph: Any, seed: int) -> Any:
        return {name: array * np.float32(1e6) for name, array in drawn(graph, seed).items()}

    drawn = ours.seeded_weights
    monkeypatch.setattr(ours, "seeded_weights", large)
    assert not opened("torch-fp16-cuda", cuda, monkeypatch).prepare(CONV, seed=0).finite()


@pytest.mark.parametrize(
    "name", ["torch-int8-cuda", "torch-fp16-cuda-compiled-graph", "torch-fp16-graph-cuda", "torch-fp16-cuda-host-graph"]
)
def test_what_is_not_offered_names_what_is(name: str) -> None:
    with pytest.raises(Unsupported, match="bf16 with cuda, then any of graph, compiled, channels-last and one of"):
        open_runtime(parse_target(name, device="bench"))


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built with CUDA")
def test_torch_without_cuda_says_what_to_install() -> None:
    with pytest.raises(RuntimeUnavailable, match="built without CUDA; install a CUDA build of torch"):
        open_runtime(parse_target("bench/torch-fp16-cuda"))


def test_cuda_without_a_device_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeUnavailable, match=r"finds no CUDA device; .*a driver for CUDA 13.0"):
        open_runtime(parse_target("bench/torch-fp16-cuda"))
