"""CUDA through NVIDIA's cuda-python (``cuda.bindings.runtime``), the default binding."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from cuda.bindings import runtime

from profiler.runtimes.tensorrt.cuda import (
    Address,
    DeviceProperties,
    Event,
    GraphExec,
    MemoryInfo,
    Pinned,
    Stream,
    cuda_version,
    failure,
    no_device,
)

_DEVICE: Final = 0
"""The first visible one; CUDA_VISIBLE_DEVICES chooses among several."""


def open_cuda_python() -> CudaPython:
    """Make the first device current.

    Raises:
        RuntimeUnavailable: There is no driver or no device.
    """
    code, count = runtime.cudaGetDeviceCount()
    if code != runtime.cudaError_t.cudaSuccess:
        raise no_device(f"cudaGetDeviceCount says {code.name}")
    if not count:
        raise no_device("cudaGetDeviceCount says 0")
    _call(runtime.cudaSetDevice, _DEVICE)
    return CudaPython()


class CudaPython:
    """The runtime API of one device; see :class:`profiler.runtimes.tensorrt.cuda.Cuda`."""

    @property
    def name(self) -> str:
        """The binding and its version."""
        return f"cuda-python {_version()}"

    def versions(self) -> Mapping[str, str]:
        """Versions of the CUDA runtime and of the highest CUDA that the driver supports."""
        return {
            "cuda_runtime": cuda_version(_call(runtime.cudaRuntimeGetVersion)),
            "cuda_driver": cuda_version(_call(runtime.cudaDriverGetVersion)),
        }

    def properties(self) -> DeviceProperties:
        """What the device is."""
        found = _call(runtime.cudaGetDeviceProperties, _DEVICE)
        name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
        return DeviceProperties(name, (int(found.major), int(found.minor)), int(found.l2CacheSize))

    def memory(self) -> MemoryInfo:
        """How much of the device's memory is in use."""
        free, total = _call(runtime.cudaMemGetInfo)
        return MemoryInfo(int(free), int(total))

    def malloc(self, size_bytes: int) -> Address:
        """Allocate device memory."""
        return Address(int(_call(runtime.cudaMalloc, size_bytes)))

    def free(self, address: Address) -> None:
        """Free device memory."""
        _call(runtime.cudaFree, address)

    def pinned(self, size_bytes: int) -> Pinned:
        """Allocate page-locked host memory."""
        address = int(_call(runtime.cudaHostAlloc, size_bytes, runtime.cudaHostAllocDefault))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(address))

    def free_pinned(self, array: Pinned) -> None:
        """Free page-locked host memory."""
        _call(runtime.cudaFreeHost, array.ctypes.data)

    def to_device(self, address: Address, array: Pinned, stream: Stream) -> None:
        """Enqueue a copy of all of `array` to the device."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        _call(runtime.cudaMemcpyAsync, address, array.ctypes.data, array.nbytes, kind, stream)

    def to_host(self, array: Pinned, address: Address, stream: Stream) -> None:
        """Enqueue a copy from the device that fills `array`."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call(runtime.cudaMemcpyAsync, array.ctypes.data, address, array.nbytes, kind, stream)

    def memset(self, address: Address, value: int, size_bytes: int, stream: Stream) -> None:
        """Enqueue setting bytes to `value`."""
        _call(runtime.cudaMemsetAsync, address, value, size_bytes, stream)

    def create_stream(self) -> Stream:
        """A stream that does not wait for the legacy default stream."""
        return Stream(int(_call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)))

    def destroy_stream(self, stream: Stream) -> None:
        """Destroy a stream."""
        _call(runtime.cudaStreamDestroy, stream)

    def synchronise(self, stream: Stream) -> None:
        """Wait until everything in `stream` is done."""
        _call(runtime.cudaStreamSynchronize, stream)

    def create_event(self) -> Event:
        """An event that records its time."""
        return Event(int(_call(runtime.cudaEventCreate)))

    def destroy_event(self, event: Event) -> None:
        """Destroy an event."""
        _call(runtime.cudaEventDestroy, event)

    def record(self, event: Event, stream: Stream) -> None:
        """Enqueue recording of `event`."""
        _call(runtime.cudaEventRecord, event, stream)

    def elapsed_s(self, start: Event, stop: Event) -> float:
        """Seconds between two events that have completed."""
        return float(_call(runtime.cudaEventElapsedTime, start, stop)) * 1e-3

    def begin_capture(self, stream: Stream) -> None:
        """Capture what this thread enqueues in `stream` from now on, instead of doing it."""
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call(runtime.cudaStreamBeginCapture, stream, mode)

    def end_capture(self, stream: Stream) -> GraphExec:
        """End the capture and make what was captured ready to be launched."""
        graph = _call(runtime.cudaStreamEndCapture, stream)
        try:
            return GraphExec(int(_call(runtime.cudaGraphInstantiate, graph, 0)))
        finally:
            _call(runtime.cudaGraphDestroy, graph)

    def abandon_capture(self, stream: Stream) -> None:
        """End a capture that went wrong; the error that this returns is the one that is known already."""
        code, graph = (*runtime.cudaStreamEndCapture(stream), None)[:2]
        if code == runtime.cudaError_t.cudaSuccess and graph is not None:
            _call(runtime.cudaGraphDestroy, graph)

    def launch(self, graph: GraphExec, stream: Stream) -> None:
        """Enqueue a captured graph."""
        _call(runtime.cudaGraphLaunch, graph, stream)

    def destroy_graph(self, graph: GraphExec) -> None:
        """Destroy a captured graph."""
        _call(runtime.cudaGraphExecDestroy, graph)


def _call(function: Any, *arguments: Any) -> Any:
    """What a call of the runtime returns beside its error code.

    Raises:
        CudaError: The code is not success.
    """
    code, *values = function(*arguments)
    if code == runtime.cudaError_t.cudaSuccess:
        return values[0] if len(values) == 1 else tuple(values)
    _, meaning = runtime.cudaGetErrorString(code)
    text = meaning.decode() if isinstance(meaning, bytes) else str(meaning)
    raise failure(function.__name__, int(code), code.name, text)


def _version() -> str:
    for package in ("cuda-bindings", "cuda-python"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "unknown"
