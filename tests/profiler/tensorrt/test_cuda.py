"""The seam to CUDA: which binding is opened, what errors become, and the driver calls that PyCUDA lacks."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hyctas.errors import InvalidInput, MeasuringError, RuntimeUnavailable
from profiler.runtimes.tensorrt.cuda import (
    BINDINGS,
    LOST,
    CudaError,
    CudaOutOfMemory,
    DeviceLost,
    GraphExec,
    MemoryInfo,
    Stream,
    cuda_version,
    failure,
    open_cuda,
    prefer_binding,
)
from profiler.runtimes.tensorrt.cuda_driver import CudaDriver, load_driver


@pytest.fixture
def first_installed() -> Iterator[None]:
    prefer_binding(None)
    yield
    prefer_binding(None)


@dataclass
class DriverLibrary:
    """Strict stand-in for libcuda: the calls that we make, in the only order in which they make sense."""

    calls: list[str] = field(default_factory=list)
    instantiating: int = 0

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        raise AssertionError(f"{name} is not a call that our code should make")

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: ctypes.c_int) -> int:
        assert mode.value == 1
        return self._called("begin", stream.value == 7)

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:
        assert self.calls[-1] == "begin"
        graph._obj.value = 0x61
        return self._called("end", stream.value == 7)

    def cuGraphInstantiateWithFlags(self, executable: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong) -> int:
        assert flags.value == 0
        executable._obj.value = 0x71
        self._called("instantiate", graph.value == 0x61)
        return self.instantiating

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:
        return self._called("destroy graph", graph.value == 0x61)

    def cuGraphLaunch(self, executable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:
        return self._called("launch", (executable.value, stream.value) == (0x71, 7))

    def cuGraphExecDestroy(self, executable: ctypes.c_void_p) -> int:
        return self._called("destroy executable", executable.value == 0x71)

    def cuGetErrorName(self, code: ctypes.c_int, text: Any) -> int:
        return self._texts(code, text, {1: b"CUDA_ERROR_INVALID_VALUE", 2: b"CUDA_ERROR_OUT_OF_MEMORY"})

    def cuGetErrorString(self, code: ctypes.c_int, text: Any) -> int:
        return self._texts(code, text, {1: b"invalid argument", 2: b"out of memory", 700: b"an illegal access"})

    def _called(self, name: str, right: bool) -> int:
        self.calls.append(name)
        return 0 if right else 1

    @staticmethod
    def _texts(code: ctypes.c_int, text: Any, known: dict[int, bytes]) -> int:
        text._obj.value = known.get(code.value)
        return 0 if code.value in known else 1


def test_first_installed_binding_is_cuda_python() -> None:
    assert next(iter(BINDINGS)) == "cuda-python"


@pytest.mark.usefixtures("first_installed")
def test_no_binding_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(RuntimeUnavailable, match="pip install cuda-python, or pip install pycuda"):
        open_cuda()


@pytest.mark.usefixtures("first_installed")
def test_preferred_binding_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.delitem(sys.modules, "profiler.runtimes.tensorrt.cuda_pycuda", raising=False)
    prefer_binding("pycuda")
    with pytest.raises(RuntimeUnavailable, match=r"pycuda cannot be imported .* pip install pycuda"):
        open_cuda()


@pytest.mark.usefixtures("first_installed")
def test_unknown_binding_lists_the_known_ones() -> None:
    with pytest.raises(
        InvalidInput, match=r"HYCTAS_CUDA_BINDING: 'cupy' is not allowed; expected one of cuda-python, py"
    ):
        prefer_binding("cupy")


@pytest.mark.parametrize("number", sorted(LOST))
def test_error_that_breaks_the_context_is_no_failure_of_one_workload(number: int) -> None:
    lost = failure("cudaStreamSynchronize", number, "cudaErrorIllegalAddress", "an illegal memory access")
    assert isinstance(lost, DeviceLost)
    assert not isinstance(lost, Exception)
    assert "cudaStreamSynchronize failed with cudaErrorIllegalAddress" in str(lost)


def test_out_of_memory_is_a_memory_error() -> None:
    error = failure("cudaMalloc", 2, "cudaErrorMemoryAllocation", "out of memory")
    assert isinstance(error, CudaOutOfMemory)
    assert isinstance(error, MemoryError)
    assert isinstance(error, MeasuringError)
    assert str(error) == "cudaMalloc failed with cudaErrorMemoryAllocation: out of memory"


def test_other_error_names_the_call_and_the_code() -> None:
    error = failure("cudaMemsetAsync", 1, "cudaErrorInvalidValue", "invalid argument")
    assert type(error) is CudaError
    assert (error.call, error.code) == ("cudaMemsetAsync", "cudaErrorInvalidValue")


def test_driver_captures_instantiates_and_launches() -> None:
    library = DriverLibrary()
    driver = CudaDriver(library)
    driver.begin_capture(Stream(7))
    graph = driver.end_capture(Stream(7))
    driver.launch(graph, Stream(7))
    driver.destroy_graph(graph)
    assert library.calls == ["begin", "end", "instantiate", "destroy graph", "launch", "destroy executable"]


def test_driver_frees_the_graph_that_cannot_be_instantiated() -> None:
    library = DriverLibrary(instantiating=2)
    driver = CudaDriver(library)
    driver.begin_capture(Stream(7))
    with pytest.raises(CudaOutOfMemory, match="cuGraphInstantiateWithFlags failed with CUDA_ERROR_OUT_OF_MEMORY"):
        driver.end_capture(Stream(7))
    assert library.calls[-1] == "destroy graph"


def test_driver_error_names_the_call() -> None:
    with pytest.raises(CudaError, match="cuGraphLaunch failed with CUDA_ERROR_INVALID_VALUE: invalid argument"):
        CudaDriver(DriverLibrary()).launch(GraphExec(1), Stream(7))


def test_driver_finds_the_number_of_an_error_by_its_words() -> None:
    driver = CudaDriver(DriverLibrary())
    assert driver.number_of("an illegal access") == 700
    assert driver.number_of("no such words") == 0


def test_machine_without_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    load_driver.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(RuntimeUnavailable, match="no CUDA driver here"):
        load_driver()


def test_versions_read_as_people_write_them() -> None:
    assert [cuda_version(number) for number in (12090, 13000, 11080)] == ["12.9", "13.0", "11.8"]


def test_memory_in_use() -> None:
    assert MemoryInfo(free_bytes=10, total_bytes=30).used_bytes == 20
