"""Stands in for ``pycuda.driver``: the calls that running an engine needs, on the simulated device.

Names and parameters are those of PyCUDA's source, which the tests check. What is not here raises ``AttributeError``,
though the real module has more. As there, objects own what they stand for, and errors carry the driver's words only.
"""

from __future__ import annotations

import builtins
import ctypes
from typing import Any

import numpy as np
from simulated_gpu import Misuse, gpu, streams
from simulated_libcuda import TEXTS

_CONTEXTS: list[Context] = []


class Error(Exception):
    """Root of PyCUDA's errors."""


class MemoryError(Error):
    """Out of memory."""


class LogicError(Error):
    """A call that makes no sense."""


class LaunchError(Error):
    """A launch failed, or one before it."""


class RuntimeError(Error):
    """Anything else."""


def _enter(routine: str, *, needs_context: bool = True) -> None:
    """Fail if the scenario says so, as PyCUDA words it."""
    if needs_context and not _CONTEXTS:
        raise LogicError(f"{routine} failed: invalid device context")
    fault = gpu().scenario.entered(routine)
    if fault is not None:
        number = int(fault.error or 999)
        kind = MemoryError if number == 2 else LaunchError if number >= 700 else LogicError
        raise kind(f"{routine} failed: {TEXTS[number][1]}")


class device_attribute:
    L2_CACHE_SIZE = "L2_CACHE_SIZE"


def init(flags: int = 0) -> None:
    _enter("cuInit", needs_context=False)


def get_version() -> tuple[int, int, int]:
    return (13, 0, 0)


def get_driver_version() -> int:
    return gpu().scenario.device.driver_version


class Context:
    """The primary context."""

    def push(self) -> None:
        _CONTEXTS.append(self)

    @staticmethod
    def pop() -> None:
        if not _CONTEXTS:
            raise LogicError("context::pop failed: invalid device context - cannot pop non-current context")
        _CONTEXTS.pop()


class Device:
    """A device by its number."""

    def __init__(self, number: int) -> None:
        if number >= gpu().scenario.device.count:
            raise LogicError("cuDeviceGet failed: invalid device ordinal")

    @staticmethod
    def count() -> int:
        _enter("cuDeviceGetCount", needs_context=False)
        return gpu().scenario.device.count

    def name(self) -> str:
        return gpu().scenario.device.name

    def compute_capability(self) -> tuple[int, int]:
        return gpu().scenario.device.compute_capability

    def get_attribute(self, attr: str) -> int:
        assert attr == device_attribute.L2_CACHE_SIZE
        return gpu().scenario.device.l2_bytes

    def retain_primary_context(self) -> Context:
        _enter("cuDevicePrimaryCtxRetain", needs_context=False)
        return Context()


def mem_get_info() -> tuple[int, int]:
    _enter("cuMemGetInfo")
    memory = gpu().memory
    return memory.capacity - memory.used, memory.capacity


class DeviceAllocation:
    """Device memory, freed with the object at the latest."""

    def __init__(self, address: int) -> None:
        self._address: int | None = address

    def __int__(self) -> int:
        if self._address is None:
            raise Misuse("a device allocation is used after it was freed")
        return self._address

    __index__ = __int__

    def free(self) -> None:
        gpu().not_while_capturing("cuMemFree")
        gpu().synchronize()
        gpu().memory.free(int(self))
        self._address = None

    def __del__(self) -> None:
        if self._address is not None:
            self.free()


def mem_alloc(bytes: int) -> DeviceAllocation:
    _enter("cuMemAlloc")
    gpu().not_while_capturing("cuMemAlloc")
    allocation = gpu().memory.allocate(bytes)
    if allocation is None:
        raise MemoryError("cuMemAlloc failed: out of memory")
    return DeviceAllocation(allocation.address)


class HostAllocation:
    """Page-locked memory behind an array; what ``array.base`` is."""

    def __init__(self, size: int) -> None:
        self._address: int | None = gpu().pinned.allocate(size)
        self.__array_interface__ = {"data": (self._address, False), "shape": (size,), "typestr": "|u1", "version": 3}

    def free(self) -> None:
        gpu().synchronize()
        gpu().pinned.free(self._address or 0)
        self._address = None


def pagelocked_empty(shape: int, dtype: Any, order: str = "C", mem_flags: int = 0) -> Any:
    _enter("cuMemHostAlloc")
    gpu().not_while_capturing("cuMemHostAlloc")
    assert np.dtype(dtype) == np.uint8
    return np.asarray(HostAllocation(shape))


class Stream:
    """A stream, destroyed with the object."""

    def __init__(self, flags: int = 0) -> None:
        _enter("cuStreamCreate")
        if flags != 1:
            raise Misuse("a stream that waits for the default stream")
        self.handle = gpu().register(streams.Stream(gpu().clock))

    def synchronize(self) -> None:
        _enter("cuStreamSynchronize")
        gpu().stream(self.handle).synchronize()

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            found = gpu().stream(self.handle)
            found.drain()
            found.destroyed = True


class Event:
    """An event, destroyed with the object; it has no handle to look at."""

    def __init__(self, flags: int = 0) -> None:
        _enter("cuEventCreate")
        self._number = gpu().register(streams.Event())

    def _found(self) -> streams.Event:
        found = gpu().resolve(self._number, streams.Event)
        assert isinstance(found, streams.Event)
        return found

    def record(self, stream: Stream | None = None) -> Event:
        gpu().stream(_handle(stream)).record(self._found())
        return self

    def time_till(self, end: Event) -> float:
        times = []
        for event in (self._found(), end._found()):
            if event.captured or event.time_s is None:
                raise Misuse("the time of an event that was never recorded, or recorded in a capture")
            if not event.done:
                raise LogicError("cuEventElapsedTime failed: device not ready")
            times.append(event.time_s)
        return (times[1] - times[0]) * 1e3

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            self._found().destroyed = True


def memcpy_htod_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
    _enter("cuMemcpyHtoDAsync")
    _copy(int(dest), _contiguous(src), src.nbytes, 1, stream, host=_contiguous(src))


def memcpy_dtoh_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
    _enter("cuMemcpyDtoHAsync")
    _copy(_contiguous(dest), int(src), dest.nbytes, 2, stream, host=_contiguous(dest))


def memset_d8_async(dest: Any, data: int, size: int, stream: Stream | None = None) -> None:
    _enter("cuMemsetD8Async")
    gpu().stream(_handle(stream)).enqueue([gpu().fill(int(dest), data, size)])


def _copy(target: int, source: int, size: int, kind: int, stream: Stream | None, *, host: int) -> None:
    if not gpu().is_pinned(host, size):
        gpu().pageable_copies += 1
    gpu().stream(_handle(stream)).enqueue([gpu().copy(target, source, size, kind)])


def _contiguous(array: Any) -> int:
    if not array.flags.c_contiguous:
        raise builtins.ValueError("ndarray is not contiguous")
    return int(array.ctypes.data_as(ctypes.c_void_p).value)


def _handle(stream: Stream | None) -> int:
    return 0 if stream is None else stream.handle
