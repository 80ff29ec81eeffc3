"""Stands in for ``cuda.bindings.runtime`` (cuda-python): the calls that running an engine needs, on a simulated device.

Names, parameters and the number of returned values are checked against NVIDIA's package in the tests. What is not
here raises ``AttributeError``, though the real module has more.
"""

from __future__ import annotations

from typing import Any

from cuda.bindings._calls import LAST_ERROR, Handle, call
from cuda.bindings._enums import (
    ERROR_STRINGS,
    cudaDeviceAttr,
    cudaError_t,
    cudaMemcpyKind,
    cudaStreamCaptureMode,
    cudaStreamCaptureStatus,
)
from simulated_gpu import Misuse, gpu
from simulated_gpu.streams import Event, Graph, GraphExec, Stream

__all__ = [
    "cudaDeviceAttr",
    "cudaError_t",
    "cudaMemcpyKind",
    "cudaStreamCaptureMode",
    "cudaStreamCaptureStatus",
]

cudaEventDefault = 0
cudaEventBlockingSync = 1
cudaEventDisableTiming = 2
cudaStreamDefault = 0
cudaStreamNonBlocking = 1
cudaHostAllocDefault = 0

_OK = cudaError_t.cudaSuccess


class cudaStream_t(Handle):
    __slots__ = ()


class cudaEvent_t(Handle):
    __slots__ = ()


class cudaGraph_t(Handle):
    __slots__ = ()


class cudaGraphExec_t(Handle):
    __slots__ = ()


class cudaDeviceProp:
    """Properties of a device."""

    __slots__ = (
        "ECCEnabled",
        "l2CacheSize",
        "major",
        "minor",
        "multiProcessorCount",
        "name",
        "pciBusID",
        "pciDeviceID",
        "pciDomainID",
        "totalGlobalMem",
    )


# The machine


@call
def cudaGetDeviceCount() -> tuple[cudaError_t, int]:
    count = gpu().scenario.device.count
    return (_OK, count) if count else (cudaError_t.cudaErrorNoDevice,)


@call
def cudaGetDevice() -> tuple[cudaError_t, int]:
    return _OK, 0


@call
def cudaSetDevice(device: int) -> tuple[cudaError_t]:
    return _on(device)


@call
def cudaGetDeviceProperties(device: int) -> tuple[cudaError_t, cudaDeviceProp]:
    (error,) = _on(device)
    facts, properties = gpu().scenario.device, cudaDeviceProp()
    properties.name = facts.name.encode()
    properties.major, properties.minor = facts.compute_capability
    properties.multiProcessorCount = facts.multi_processors
    properties.l2CacheSize, properties.totalGlobalMem = facts.l2_bytes, facts.memory_bytes
    properties.ECCEnabled = properties.pciDomainID = properties.pciDeviceID = 0
    properties.pciBusID = 1
    return error, properties


@call
def cudaDeviceGetAttribute(attr: cudaDeviceAttr, device: int) -> tuple[cudaError_t, int]:
    (error,) = _on(device)
    facts = gpu().scenario.device
    values = {
        cudaDeviceAttr.cudaDevAttrMultiProcessorCount: facts.multi_processors,
        cudaDeviceAttr.cudaDevAttrL2CacheSize: facts.l2_bytes,
        cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor: facts.compute_capability[0],
        cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor: facts.compute_capability[1],
    }
    return error, values[cudaDeviceAttr(attr)]


@call
def cudaDriverGetVersion() -> tuple[cudaError_t, int]:
    facts = gpu().scenario.device
    return _OK, facts.driver_version if facts.count else 0


@call
def cudaRuntimeGetVersion() -> tuple[cudaError_t, int]:
    return _OK, gpu().scenario.device.runtime_version


@call
def cudaDeviceSynchronize() -> tuple[cudaError_t]:
    gpu().not_while_capturing("cudaDeviceSynchronize")
    gpu().synchronize()
    return (_OK,)


def cudaGetLastError() -> tuple[cudaError_t]:
    error, LAST_ERROR[0] = LAST_ERROR[0], _OK
    return (error,)


def cudaPeekAtLastError() -> tuple[cudaError_t]:
    return (LAST_ERROR[0],)


def cudaGetErrorName(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    return _OK, cudaError_t(error).name.encode()


def cudaGetErrorString(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    code = cudaError_t(error)
    return _OK, ERROR_STRINGS.get(code, code.name).encode()


# Memory


@call
def cudaMemGetInfo() -> tuple[cudaError_t, int, int]:
    memory = gpu().memory
    return _OK, memory.capacity - memory.used, memory.capacity


@call
def cudaMalloc(size: int) -> tuple[cudaError_t, Any]:
    gpu().not_while_capturing("cudaMalloc")
    allocation = gpu().memory.allocate(int(size))
    return (cudaError_t.cudaErrorMemoryAllocation,) if allocation is None else (_OK, allocation.address)


@call
def cudaFree(devPtr: Any) -> tuple[cudaError_t]:
    gpu().not_while_capturing("cudaFree")
    gpu().synchronize()
    if int(devPtr):
        gpu().memory.free(int(devPtr))
    return (_OK,)


@call
def cudaMallocHost(size: int) -> tuple[cudaError_t, Any]:
    gpu().not_while_capturing("cudaMallocHost")
    return _OK, gpu().pinned.allocate(int(size))


@call
def cudaHostAlloc(size: int, flags: int) -> tuple[cudaError_t, Any]:
    gpu().not_while_capturing("cudaHostAlloc")
    return _OK, gpu().pinned.allocate(int(size))


@call
def cudaFreeHost(ptr: Any) -> tuple[cudaError_t]:
    gpu().not_while_capturing("cudaFreeHost")
    gpu().synchronize()
    gpu().pinned.free(int(ptr))
    return (_OK,)


@call
def cudaMemcpy(dst: Any, src: Any, count: int, kind: cudaMemcpyKind) -> tuple[cudaError_t]:
    gpu().not_while_capturing("cudaMemcpy")
    default = gpu().stream(0)
    gpu().synchronize()
    default.enqueue([gpu().copy(int(dst), int(src), int(count), int(kind))])
    default.synchronize()
    return (_OK,)


@call
def cudaMemcpyAsync(dst: Any, src: Any, count: int, kind: cudaMemcpyKind, stream: Any) -> tuple[cudaError_t]:
    device = gpu()
    for address, host in ((dst, int(kind) == 2), (src, int(kind) == 1)):
        if host and not device.is_pinned(int(address), int(count)):
            device.pageable_copies += 1
    device.stream(stream).enqueue([device.copy(int(dst), int(src), int(count), int(kind))])
    return (_OK,)


@call
def cudaMemset(devPtr: Any, value: int, count: int) -> tuple[cudaError_t]:
    gpu().not_while_capturing("cudaMemset")
    gpu().stream(0).enqueue([gpu().fill(int(devPtr), int(value), int(count))])
    gpu().synchronize()
    return (_OK,)


@call
def cudaMemsetAsync(devPtr: Any, value: int, count: int, stream: Any) -> tuple[cudaError_t]:
    gpu().stream(stream).enqueue([gpu().fill(int(devPtr), int(value), int(count))])
    return (_OK,)


# Streams and events


@call
def cudaStreamCreate() -> tuple[cudaError_t, cudaStream_t]:
    return _OK, cudaStream_t(gpu().register(Stream(gpu().clock)))


@call
def cudaStreamCreateWithFlags(flags: int) -> tuple[cudaError_t, cudaStream_t]:
    return _OK, cudaStream_t(gpu().register(Stream(gpu().clock)))


@call
def cudaStreamDestroy(stream: Any) -> tuple[cudaError_t]:
    found = gpu().stream(stream)
    if found.capturing is not None:
        raise Misuse("a stream is destroyed while it captures")
    found.drain()
    found.destroyed = True
    return (_OK,)


@call
def cudaStreamSynchronize(stream: Any) -> tuple[cudaError_t]:
    gpu().stream(stream).synchronize()
    return (_OK,)


@call
def cudaStreamQuery(stream: Any) -> tuple[cudaError_t]:
    return (_OK if gpu().stream(stream).idle else cudaError_t.cudaErrorNotReady,)


@call
def cudaStreamWaitEvent(stream: Any, event: Any, flags: int) -> tuple[cudaError_t]:
    gpu().stream(stream).wait_for(_event(event))
    return (_OK,)


@call
def cudaEventCreate() -> tuple[cudaError_t, cudaEvent_t]:
    return _OK, cudaEvent_t(gpu().register(Event()))


@call
def cudaEventCreateWithFlags(flags: int) -> tuple[cudaError_t, cudaEvent_t]:
    return _OK, cudaEvent_t(gpu().register(Event(timing=not int(flags) & cudaEventDisableTiming)))


@call
def cudaEventDestroy(event: Any) -> tuple[cudaError_t]:
    _event(event).destroyed = True
    return (_OK,)


@call
def cudaEventRecord(event: Any, stream: Any) -> tuple[cudaError_t]:
    gpu().stream(stream).record(_event(event))
    return (_OK,)


@call
def cudaEventSynchronize(event: Any) -> tuple[cudaError_t]:
    found = _event(event)
    if found.captured:
        raise Misuse("an event that was recorded in a capture is waited for")
    if found.stream is not None and found.time_s is not None:
        found.stream.drain()
        gpu().clock.host_s = max(gpu().clock.host_s, found.time_s)
    return (_OK,)


@call
def cudaEventQuery(event: Any) -> tuple[cudaError_t]:
    found = _event(event)
    return (_OK if found.done or found.time_s is None else cudaError_t.cudaErrorNotReady,)


@call
def cudaEventElapsedTime(start: Any, end: Any) -> tuple[cudaError_t, float]:
    times = []
    for event in (_event(start), _event(end)):
        if event.captured or event.time_s is None or not event.timing:
            raise Misuse("the time of an event that was never recorded, recorded in a capture, or made without timing")
        if not event.done:
            return (cudaError_t.cudaErrorNotReady,)
        times.append(event.time_s)
    step_s = gpu().scenario.times.event_resolution_s
    return _OK, round((times[1] - times[0]) / step_s) * step_s * 1e3


# Graphs


@call
def cudaStreamBeginCapture(stream: Any, mode: cudaStreamCaptureMode) -> tuple[cudaError_t]:
    found = gpu().stream(stream)
    if not int(stream):
        raise Misuse("the default stream cannot capture")
    if found.capturing is not None:
        raise Misuse("a stream captures already")
    found.capturing, found.invalidated = [], None
    return (_OK,)


@call
def cudaStreamEndCapture(stream: Any) -> tuple[cudaError_t, cudaGraph_t]:
    found = gpu().stream(stream)
    if found.capturing is None:
        raise Misuse("a capture is ended that was not begun")
    work, found.capturing = found.capturing, None
    if found.invalidated is not None:
        return (cudaError_t.cudaErrorStreamCaptureInvalidated,)
    return _OK, cudaGraph_t(gpu().register(Graph(tuple(work))))


@call
def cudaStreamIsCapturing(stream: Any) -> tuple[cudaError_t, cudaStreamCaptureStatus]:
    found = gpu().stream(stream)
    if found.capturing is None:
        return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusNone
    if found.invalidated is not None:
        return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusInvalidated
    return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusActive


@call
def cudaGraphInstantiate(graph: Any, flags: int) -> tuple[cudaError_t, cudaGraphExec_t]:
    found = gpu().resolve(int(graph), Graph)
    assert isinstance(found, Graph)
    if not found.work:
        raise Misuse("a graph without any work is instantiated")
    return _OK, cudaGraphExec_t(gpu().register(GraphExec(found.work)))


@call
def cudaGraphUpload(graphExec: Any, stream: Any) -> tuple[cudaError_t]:
    _graph_exec(graphExec).uploaded = True
    return (_OK,)


@call
def cudaGraphLaunch(graphExec: Any, stream: Any) -> tuple[cudaError_t]:
    found, times = _graph_exec(graphExec), gpu().scenario.times
    launch_s = times.graph_launch_s + (0.0 if found.uploaded else times.graph_upload_s)
    found.uploaded = True
    gpu().stream(stream).launch(found, launch_s)
    return (_OK,)


@call
def cudaGraphDestroy(graph: Any) -> tuple[cudaError_t]:
    found = gpu().resolve(int(graph), Graph)
    assert isinstance(found, Graph)
    found.destroy()
    return (_OK,)


@call
def cudaGraphExecDestroy(graphExec: Any) -> tuple[cudaError_t]:
    gpu().synchronize()
    _graph_exec(graphExec).destroy()
    return (_OK,)


def _on(device: int) -> tuple[cudaError_t]:
    valid = 0 <= int(device) < gpu().scenario.device.count
    return (_OK if valid else cudaError_t.cudaErrorInvalidDevice,)


def _event(event: Any) -> Event:
    found = gpu().resolve(int(event), Event)
    assert isinstance(found, Event)
    return found


def _graph_exec(graph_exec: Any) -> GraphExec:
    found = gpu().resolve(int(graph_exec), GraphExec)
    assert isinstance(found, GraphExec)
    return found
