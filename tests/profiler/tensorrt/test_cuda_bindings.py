"""Both bindings to CUDA under one contract, on a simulated device, and an engine on PyCUDA."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.lowering import lower_part
from hyctas.measurement import Protocol
from hyctas.parts import Part
from hyctas.target import parse_target
from profiler.runtimes.tensorrt import cuda_driver
from profiler.runtimes.tensorrt.cuda import (
    BINDING_VARIABLE,
    BINDINGS,
    Cuda,
    CudaError,
    CudaOutOfMemory,
    DeviceLost,
    open_cuda,
    prefer_binding,
)
from profiler.runtimes.tensorrt.runtime import TensorRtRuntime
from profiler.session import ProcessEnded, Session, SessionSettings
from profiler.worker import CALL_FLOOR_RUNS

STAND_IN = Path(__file__).parents[2] / "standins" / "pycuda_package"
SIZE = 1000
CALLS = {
    "cuda-python": {"allocate": "cudaMalloc", "wait": "cudaStreamSynchronize", "count": "cudaGetDeviceCount"},
    "pycuda": {"allocate": "cuMemAlloc", "wait": "cuStreamSynchronize", "count": "cuDeviceGetCount"},
}
"""What the bindings call underneath."""
ERRORS = {
    "cuda-python": {
        "memory": "cudaErrorMemoryAllocation",
        "lost": "cudaErrorIllegalAddress",
        "none": "cudaErrorNoDevice",
    },
    "pycuda": {"memory": "2", "lost": "700", "none": "100"},
}


@pytest.fixture
def pycuda(on_device: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyCUDA and libcuda on the simulated device."""
    modules = ("pycuda", "pycuda.driver", "simulated_libcuda", "profiler.runtimes.tensorrt.cuda_pycuda")
    monkeypatch.syspath_prepend(str(STAND_IN))
    for name in modules:
        sys.modules.pop(name, None)
    load = ctypes.CDLL

    def libraries(name: str | None, *arguments: Any, **options: Any) -> Any:
        if name != "libcuda.so.1":
            return load(name, *arguments, **options)
        from simulated_libcuda import LibCuda  # type: ignore[import-not-found]

        return LibCuda()

    monkeypatch.setattr(ctypes, "CDLL", libraries)
    cuda_driver.load_driver.cache_clear()
    yield
    cuda_driver.load_driver.cache_clear()
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest, on_device: Any, pycuda: None) -> Iterator[str]:
    """The name of a binding, preferred."""
    prefer_binding(request.param)
    yield request.param
    prefer_binding(None)
    gc.collect()
    report = on_device.gpu().report()
    assert {name: left for name, left in report.items() if left and name.startswith(("leaked", "misuse"))} == {}
    assert report["pageable_copies"] == 0


@pytest.fixture
def cuda(binding: str) -> Cuda:
    return open_cuda()


def fails(on_device: Any, binding: str, call: str, error: str) -> None:
    fault = sys.modules["simulated_gpu"].Fault(CALLS[binding][call], error=ERRORS[binding][error])
    on_device.gpu().scenario.faults = (fault,)


def test_binding_says_who_it_is_and_what_it_stands_on(cuda: Cuda, binding: str, on_device: Any) -> None:
    facts = on_device.gpu().scenario.device
    assert cuda.name.startswith(binding)
    assert cuda.versions() == {"cuda_runtime": "13.0", "cuda_driver": "13.0"}
    found = cuda.properties()
    assert (found.name, found.compute_capability, found.l2_bytes) == (facts.name, (8, 9), facts.l2_bytes)


def test_what_is_copied_there_comes_back(cuda: Cuda) -> None:
    stream, address = cuda.create_stream(), cuda.malloc(SIZE)
    there, back = cuda.pinned(SIZE), cuda.pinned(SIZE)
    there[:] = np.arange(SIZE) % 251
    cuda.to_device(address, there, stream)
    cuda.to_host(back, address, stream)
    cuda.synchronise(stream)
    assert np.array_equal(there, back)
    cuda.memset(address, 7, SIZE, stream)
    cuda.to_host(back, address, stream)
    cuda.synchronise(stream)
    assert set(back) == {7}
    for array in (there, back):
        cuda.free_pinned(array)
    cuda.free(address)
    cuda.destroy_stream(stream)


def test_memory_in_use_follows_allocations(cuda: Cuda) -> None:
    before = cuda.memory()
    address = cuda.malloc(SIZE)
    assert cuda.memory().used_bytes == before.used_bytes + SIZE
    assert cuda.memory().total_bytes == before.total_bytes
    cuda.free(address)
    assert cuda.memory() == before


def test_events_time_what_is_between_them(cuda: Cuda, on_device: Any) -> None:
    stream, address, size = cuda.create_stream(), cuda.malloc(10**8), 10**8
    start, stop = cuda.create_event(), cuda.create_event()
    cuda.record(start, stream)
    cuda.memset(address, 1, size, stream)
    cuda.record(stop, stream)
    cuda.synchronise(stream)
    assert cuda.elapsed_s(start, stop) == pytest.approx(size / on_device.gpu().scenario.times.bytes_per_s, rel=0.01)
    for event in (start, stop):
        cuda.destroy_event(event)
    cuda.free(address)
    cuda.destroy_stream(stream)


def test_captured_work_is_done_when_it_is_launched(cuda: Cuda) -> None:
    stream, address, array = cuda.create_stream(), cuda.malloc(SIZE), cuda.pinned(SIZE)
    cuda.memset(address, 1, SIZE, stream)
    cuda.begin_capture(stream)
    cuda.memset(address, 2, SIZE, stream)
    graph = cuda.end_capture(stream)
    found = []
    for launch in (False, True):
        if launch:
            cuda.launch(graph, stream)
        cuda.to_host(array, address, stream)
        cuda.synchronise(stream)
        found.append(int(array[0]))
    assert found == [1, 2]
    cuda.destroy_graph(graph)
    cuda.free_pinned(array)
    cuda.free(address)
    cuda.destroy_stream(stream)


def test_stream_works_after_an_abandoned_capture(cuda: Cuda) -> None:
    stream, address = cuda.create_stream(), cuda.malloc(SIZE)
    cuda.begin_capture(stream)
    cuda.memset(address, 2, SIZE, stream)
    cuda.abandon_capture(stream)
    cuda.memset(address, 3, SIZE, stream)
    cuda.synchronise(stream)
    cuda.free(address)
    cuda.destroy_stream(stream)


def test_allocation_that_does_not_fit_is_out_of_memory(cuda: Cuda) -> None:
    with pytest.raises(CudaOutOfMemory, match="out of memory"):
        cuda.malloc(1 << 50)


def test_error_names_the_call(cuda: Cuda, binding: str, on_device: Any) -> None:
    fails(on_device, binding, "allocate", "none")
    with pytest.raises(CudaError, match=f"{CALLS[binding]['allocate']} failed with .*no CUDA-capable device"):
        cuda.malloc(SIZE)


def test_broken_context_is_told_from_other_errors(cuda: Cuda, binding: str, on_device: Any) -> None:
    stream = cuda.create_stream()
    fails(on_device, binding, "wait", "lost")
    with pytest.raises(DeviceLost, match=r"cudaErrorIllegalAddress|an illegal memory access"):
        cuda.synchronise(stream)
    on_device.gpu().scenario.faults = ()
    cuda.destroy_stream(stream)


def test_machine_without_device_says_so(binding: str, on_device: Any) -> None:
    fails(on_device, binding, "count", "none")
    with pytest.raises(RuntimeUnavailable, match="no CUDA device"):
        open_cuda()


def test_driver_without_device_says_so(binding: str, on_device: Any) -> None:
    device = on_device.gpu().scenario.device
    object.__setattr__(device, "count", 0)
    with pytest.raises(RuntimeUnavailable, match="no CUDA device"):
        open_cuda()


@pytest.mark.parametrize("name", ["fp16", "fp16-enqueue", "fp16-l2flush", "fp16-copies"])
def test_engine_runs_the_same_on_both_bindings(name: str, binding: str, on_device: Any, tmp_path: Path) -> None:
    graph = lower_part(Part("conv_2x", 6, 12, (8,), 8))
    runtime = TensorRtRuntime(parse_target(f"bench/tensorrt-{name}"), cache_folder=tmp_path)
    engine = runtime.prepare(graph, seed=0)
    assert engine.finite()
    assert engine.time_s(3) > 0.0
    assert {node for layer in engine.layers() for node in layer.nodes} == {node.name for node in graph.nodes}
    assert runtime.environment()["cuda_binding"].startswith(binding)
    engine.close()
    assert on_device.gpu().memory.used == 0


def test_lost_device_is_the_crash_of_the_workload_at_work(simulation: Any) -> None:
    lost = {"call": "cudaStreamSynchronize", "at": CALL_FLOOR_RUNS + 10, "error": "cudaErrorIllegalAddress"}
    simulation.scenario(faults=[lost])
    simulation.reports = list  # a process that ends so gives nothing back
    graph = lower_part(Part("conv_2x", 6, 12, (8,), 8))
    settings = SessionSettings(parse_target("rtx-4090/tensorrt-fp16"), Protocol(), "none", seed=0)
    with Session(settings) as session, pytest.raises(ProcessEnded, match="cudaErrorIllegalAddress") as ended:
        list(session.measure({"at work": graph}))
    assert (ended.value.kind, ended.value.culprit) == ("crash", "at work")


def test_measuring_process_refuses_an_unknown_binding(simulation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BINDING_VARIABLE, "cupy")
    settings = SessionSettings(parse_target("rtx-4090/tensorrt-fp16"), Protocol(), "none", seed=0)
    with pytest.raises(RuntimeUnavailable, match=r"HYCTAS_CUDA_BINDING: 'cupy' is not allowed"):
        Session(settings)
