"""Stands in for ``cuda.bindings.runtime`` (cuda-python): the calls that running an engine needs, on a simulated device.

Names, parameters and the number of returned values are checked against NVIDIA's package in the tests. What is not
here raises ``AttributeError``, though the real module has more.
"""

from __future__ import annotations

from typing import Any

from cuda.bindings._calls import LAST_ERROR as _LAST_ERROR
from cuda.bindings._calls import Handle as _Handle
from cuda.bindings._calls import call as _call
from cuda.bindings._enums import ERROR_STRINGS as _ERROR_STRINGS
from cuda.bindings._enums import (
    cudaDeviceAttr,
    cudaError_t,
    cudaMemcpyKind,
    cudaStreamCaptureMode,
    cudaStreamCaptureStatus,
)
from simulated_gpu import Misuse as _Misuse
from simulated_gpu import gpu as _gpu
from simulated_gpu.streams import Event as _Event
from simulated_gpu.streams import Graph as _Graph
from simulated_gpu.streams import GraphExec as _GraphExec
from simulated_gpu.streams import Stream as _Stream

cudaEventDefault = 0
cudaEventBlockingSync = 1
cudaEventDisableTiming = 2
cudaStreamDefault = 0
cudaStreamNonBlocking = 1
cudaHostAllocDefault = 0

_OK = cudaError_t.cudaSuccess


class cudaStream_t(_Handle):
    __slots__ = ()


class cudaEvent_t(_Handle):
    __slots__ = ()


class cudaGraph_t(_Handle):
    __slots__ = ()


class cudaGraphExec_t(_Handle):
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


@_call
def cudaGetDeviceCount() -> tuple[cudaError_t, int]:
    count = _gpu().scenario.device.count
    return (_OK, count) if count else (cudaError_t.cudaErrorNoDevice,)


@_call
def cudaGetDevice() -> tuple[cudaError_t, int]:
    return _OK, 0


@_call
def cudaSetDevice(device: int) -> tuple[cudaError_t]:
    return _on(device)


@_call
def cudaGetDeviceProperties(device: int) -> tuple[cudaError_t, cudaDeviceProp]:
    (error,) = _on(device)
    facts, properties = _gpu().scenario.device, cudaDeviceProp()
    properties.name = facts.name.encode()
    properties.major, properties.minor = facts.compute_capability
    properties.multiProcessorCount = facts.multi_processors
    properties.l2CacheSize, properties.totalGlobalMem = facts.l2_bytes, facts.memory_bytes
    properties.ECCEnabled = properties.pciDomainID = properties.pciDeviceID = 0
    properties.pciBusID = 1
    return error, properties


@_call
def cudaDeviceGetAttribute(attr: cudaDeviceAttr, device: int) -> tuple[cudaError_t, int]:
    (error,) = _on(device)
    facts = _gpu().scenario.device
    values = {
        cudaDeviceAttr.cudaDevAttrMultiProcessorCount: facts.multi_processors,
        cudaDeviceAttr.cudaDevAttrL2CacheSize: facts.l2_bytes,
        cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor: facts.compute_capability[0],
        cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor: facts.compute_capability[1],
    }
    return error, values[cudaDeviceAttr(attr)]


@_call
def cudaDriverGetVersion() -> tuple[cudaError_t, int]:
    facts = _gpu().scenario.device
    return _OK, facts.driver_version if facts.count else 0


@_call
def cudaRuntimeGetVersion() -> tuple[cudaError_t, int]:
    return _OK, _gpu().scenario.device.runtime_version


@_call
def cudaDeviceSynchronize() -> tuple[cudaError_t]:
    _gpu().not_while_capturing("cudaDeviceSynchronize")
    _gpu().synchronize()
    return (_OK,)


def cudaGetLastError() -> tuple[cudaError_t]:
    error, _LAST_ERROR[0] = _LAST_ERROR[0], _OK
    return (error,)


def cudaPeekAtLastError() -> tuple[cudaError_t]:
    return (_LAST_ERROR[0],)


def cudaGetErrorName(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    return _OK, cudaError_t(error).name.encode()


def cudaGetErrorString(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    code = cudaError_t(error)
    return _OK, _ERROR_STRINGS.get(code, code.name).encode()


# Memory


@_call
def cudaMemGetInfo() -> tuple[cudaError_t, int, int]:
    memory = _gpu().memory
    return _OK, memory.capacity - memory.used, memory.capacity


@_call
def cudaMalloc(size: int) -> tuple[cudaError_t, Any]:
    _gpu().not_while_capturing("cudaMalloc")
    allocation = _gpu().memory.allocate(int(size))
    return (cudaError_t.cudaErrorMemoryAllocation,) if allocation is None else (_OK, allocation.address)


@_call
def cudaFree(devPtr: Any) -> tuple[cudaError_t]:
    _gpu().not_while_capturing("cudaFree")
    _gpu().synchronize()
    if int(devPtr):
        _gpu().memory.free(int(devPtr))
    return (_OK,)


@_call
def cudaMallocHost(size: int) -> tuple[cudaError_t, Any]:
    _gpu().not_while_capturing("cudaMallocHost")
    return _OK, _gpu().pinned.allocate(int(size))


@_call
def cudaHostAlloc(size: int, flags: int) -> tuple[cudaError_t, Any]:
    _gpu().not_while_capturing("cudaHostAlloc")
    return _OK, _gpu().pinned.allocate(int(size))


@_call
def cudaFreeHost(ptr: Any) -> tuple[cudaError_t]:
    _gpu().not_while_capturing("cudaFreeHost")
    _gpu().synchronize()
    _gpu().pinned.free(int(ptr))
    return (_OK,)


@_call
def cudaMemcpy(dst: Any, src: Any, count: int, kind: cudaMemcpyKind) -> tuple[cudaError_t]:
    _gpu().not_while_capturing("cudaMemcpy")
    default = _gpu().stream(0)
    _gpu().synchronize()
    default.enqueue([_gpu().copy(int(dst), int(src), int(count), int(kind))])
    default.synchronize()
    return (_OK,)


@_call
def cudaMemcpyAsync(dst: Any, src: Any, count: int, kind: cudaMemcpyKind, stream: Any) -> tuple[cudaError_t]:
    device = _gpu()
    for address, host in ((dst, int(kind) == 2), (src, int(kind) == 1)):
        if host and not device.is_pinned(int(address), int(count)):
            device.pageable_copies += 1
    device.stream(stream).enqueue([device.copy(int(dst), int(src), int(count), int(kind))])
    return (_OK,)


@_call
def cudaMemset(devPtr: Any, value: int, count: int) -> tuple[cudaError_t]:
    _gpu().not_while_capturing("cudaMemset")
    _gpu().stream(0).enqueue([_gpu().fill(int(devPtr), int(value), int(count))])
    _gpu().synchronize()
    return (_OK,)


@_call
def cudaMemsetAsync(devPtr: Any, value: int, count: int, stream: Any) -> tuple[cudaError_t]:
    _gpu().stream(stream).enqueue([_gpu().fill(int(devPtr), int(value), int(count))])
    return (_OK,)


# Streams and events


@_call
def cudaStreamCreate() -> tuple[cudaError_t, cudaStream_t]:
    return _OK, cudaStream_t(_gpu().register(_Stream(_gpu().clock)))


@_call
def cudaStreamCreateWithFlags(flags: int) -> tuple[cudaError_t, cudaStream_t]:
    return _OK, cudaStream_t(_gpu().register(_Stream(_gpu().clock)))


@_call
def cudaStreamDestroy(stream: Any) -> tuple[cudaError_t]:
    found = _gpu().stream(stream)
    if found.capturing is not None:
        raise _Misuse("a stream is destroyed while it captures")
    found.drain()
    found.destroyed = True
    return (_OK,)


@_call
def cudaStreamSynchronize(stream: Any) -> tuple[cudaError_t]:
    _gpu().stream(stream).synchronize()
    return (_OK,)


@_call
def cudaStreamQuery(stream: Any) -> tuple[cudaError_t]:
    return (_OK if _gpu().stream(stream).idle else cudaError_t.cudaErrorNotReady,)


@_call
def cudaStreamWaitEvent(stream: Any, event: Any, flags: int) -> tuple[cudaError_t]:
    _gpu().stream(stream).wait_for(_event(event))
    return (_OK,)


@_call
def cudaEventCreate() -> tuple[cudaError_t, cudaEvent_t]:
    return _OK, cudaEvent_t(_gpu().register(_Event()))


@_call
def cudaEventCreateWithFlags(flags: int) -> tuple[cudaError_t, cudaEvent_t]:
    return _OK, cudaEvent_t(_gpu().register(_Event(timing=not int(flags) & cudaEventDisableTiming)))


@_call
def cudaEventDestroy(event: Any) -> tuple[cudaError_t]:
    _event(event).destroyed = True
    return (_OK,)


@_call
def cudaEventRecord(event: Any, stream: Any) -> tuple[cudaError_t]:
    _gpu().stream(stream).record(_event(event))
    return (_OK,)


@_call
def cudaEventSynchronize(event: Any) -> tuple[cudaError_t]:
    found = _event(event)
    if found.captured:
        raise _Misuse("an event that was recorded in a capture is waited for")
    if found.stream is not None and found.time_s is not None:
        found.stream.drain()
        _gpu().clock.wait_until(found.time_s)
    return (_OK,)


@_call
def cudaEventQuery(event: Any) -> tuple[cudaError_t]:
    found = _event(event)
    return (_OK if found.done or found.time_s is None else cudaError_t.cudaErrorNotReady,)


@_call
def cudaEventElapsedTime(start: Any, end: Any) -> tuple[cudaError_t, float]:
    times = []
    for event in (_event(start), _event(end)):
        if event.captured or event.time_s is None or not event.timing:
            raise _Misuse("the time of an event that was never recorded, recorded in a capture, or made without timing")
        if not event.done:
            return (cudaError_t.cudaErrorNotReady,)
        times.append(event.time_s)
    step_s = _gpu().scenario.times.event_resolution_s
    return _OK, round((times[1] - times[0]) / step_s) * step_s * 1e3


# Graphs


@_call
def cudaStreamBeginCapture(stream: Any, mode: cudaStreamCaptureMode) -> tuple[cudaError_t]:
    found = _gpu().stream(stream)
    if not int(stream):
        raise _Misuse("the default stream cannot capture")
    if found.capturing is not None:
        raise _Misuse("a stream captures already")
    found.capturing, found.invalidated = [], None
    return (_OK,)


@_call
def cudaStreamEndCapture(stream: Any) -> tuple[cudaError_t, cudaGraph_t]:
    found = _gpu().stream(stream)
    if found.capturing is None:
        raise _Misuse("a capture is ended that was not begun")
    work, found.capturing = found.capturing, None
    if found.invalidated is not None:
        return (cudaError_t.cudaErrorStreamCaptureInvalidated,)
    return _OK, cudaGraph_t(_gpu().register(_Graph(tuple(work))))


@_call
def cudaStreamIsCapturing(stream: Any) -> tuple[cudaError_t, cudaStreamCaptureStatus]:
    found = _gpu().stream(stream)
    if found.capturing is None:
        return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusNone
    if found.invalidated is not None:
        return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusInvalidated
    return _OK, cudaStreamCaptureStatus.cudaStreamCaptureStatusActive


@_call
def cudaGraphInstantiate(graph: Any, flags: int) -> tuple[cudaError_t, cudaGraphExec_t]:
    found = _gpu().resolve(int(graph), _Graph)
    assert isinstance(found, _Graph)
    if not found.work:
        raise _Misuse("a graph without any work is instantiated")
    return _OK, cudaGraphExec_t(_gpu().register(_GraphExec(found.work)))


@_call
def cudaGraphUpload(graphExec: Any, stream: Any) -> tuple[cudaError_t]:
    _graph_exec(graphExec).uploaded = True
    return (_OK,)


@_call
def cudaGraphLaunch(graphExec: Any, stream: Any) -> tuple[cudaError_t]:
    found, times = _graph_exec(graphExec), _gpu().scenario.times
    launch_s = times.graph_launch_s + (0.0 if found.uploaded else times.graph_upload_s)
    found.uploaded = True
    _gpu().stream(stream).launch(found, launch_s)
    return (_OK,)


@_call
def cudaGraphDestroy(graph: Any) -> tuple[cudaError_t]:
    found = _gpu().resolve(int(graph), _Graph)
    assert isinstance(found, _Graph)
    found.destroy()
    return (_OK,)


@_call
def cudaGraphExecDestroy(graphExec: Any) -> tuple[cudaError_t]:
    _gpu().synchronize()
    _graph_exec(graphExec).destroy()
    return (_OK,)


def _on(device: int) -> tuple[cudaError_t]:
    valid = 0 <= int(device) < _gpu().scenario.device.count
    return (_OK if valid else cudaError_t.cudaErrorInvalidDevice,)


def _event(event: Any) -> _Event:
    found = _gpu().resolve(int(event), _Event)
    assert isinstance(found, _Event)
    return found


def _graph_exec(graph_exec: Any) -> _GraphExec:
    found = _gpu().resolve(int(graph_exec), _GraphExec)
    assert isinstance(found, _GraphExec)
    return found
