"""CUDA through PyCUDA, where that is what is installed or asked for.

PyCUDA's objects own what they stand for, so they are kept here by the handles that the rest of the code passes around.
It has no CUDA graphs; :mod:`profiler.runtimes.tensorrt.cuda_driver` adds them.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import numpy as np
import pycuda
import pycuda.driver as driver

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
from profiler.runtimes.tensorrt.cuda_driver import CudaDriver, load_driver

_NON_BLOCKING: Final = 1
"""``CU_STREAM_NON_BLOCKING``, which PyCUDA takes as a number."""


def open_pycuda() -> PyCuda:
    """Make the primary context of the first device current: the one that TensorRT uses too.

    Raises:
        RuntimeUnavailable: There is no driver or no device.
    """
    try:
        driver.init()
        devices = driver.Device.count()
    except driver.Error as error:
        raise no_device(str(error)) from error
    if not devices:
        raise no_device("cuDeviceGetCount says 0")
    binding = load_driver()
    with _mapped(binding, "retain_primary_context"):
        device = driver.Device(0)
        context = device.retain_primary_context()
        context.push()
    atexit.register(context.pop)  # PyCUDA aborts a process that ends with a context on its stack
    return PyCuda(device, binding)


class PyCuda:
    """The driver API of one device; see :class:`profiler.runtimes.tensorrt.cuda.Cuda`.

    Args:
        device: A ``pycuda.driver.Device`` whose primary context is current.
        binding: Calls that PyCUDA lacks.
    """

    def __init__(self, device: Any, binding: CudaDriver) -> None:
        self._device = device
        self._driver = binding
        self._memory: dict[Address, Any] = {}
        self._streams: dict[Stream, Any] = {}
        self._events: dict[Event, Any] = {}
        self._event_numbers = count(1)

    @property
    def name(self) -> str:
        """The binding and its version."""
        return f"pycuda {pycuda.VERSION_TEXT}"

    def versions(self) -> Mapping[str, str]:
        """Version of CUDA that PyCUDA was built with, and of the highest CUDA that the driver supports."""
        built = ".".join(map(str, driver.get_version()[:2]))
        return {"cuda_runtime": built, "cuda_driver": cuda_version(driver.get_driver_version())}

    def properties(self) -> DeviceProperties:
        """What the device is."""
        with _mapped(self._driver, "Device.get_attribute"):
            major, minor = self._device.compute_capability()
            l2_bytes = self._device.get_attribute(driver.device_attribute.L2_CACHE_SIZE)
            return DeviceProperties(self._device.name(), (major, minor), int(l2_bytes))

    def memory(self) -> MemoryInfo:
        """How much of the device's memory is in use."""
        free, total = self._call(driver.mem_get_info)
        return MemoryInfo(int(free), int(total))

    def malloc(self, size_bytes: int) -> Address:
        """Allocate device memory."""
        allocation = self._call(driver.mem_alloc, size_bytes)
        address = Address(int(allocation))
        self._memory[address] = allocation
        return address

    def free(self, address: Address) -> None:
        """Free device memory."""
        with _mapped(self._driver, "DeviceAllocation.free"):
            self._memory.pop(address).free()

    def pinned(self, size_bytes: int) -> Pinned:
        """Allocate page-locked host memory."""
        array: Pinned = self._call(driver.pagelocked_empty, size_bytes, np.uint8)
        return array

    def free_pinned(self, array: Pinned) -> None:
        """Free page-locked host memory."""
        owner: Any = array.base
        with _mapped(self._driver, "HostAllocation.free"):
            owner.free()

    def to_device(self, address: Address, array: Pinned, stream: Stream) -> None:
        """Enqueue a copy of all of `array` to the device."""
        self._call(driver.memcpy_htod_async, address, array, self._streams[stream])

    def to_host(self, array: Pinned, address: Address, stream: Stream) -> None:
        """Enqueue a copy from the device that fills `array`."""
        self._call(driver.memcpy_dtoh_async, array, address, self._streams[stream])

    def memset(self, address: Address, value: int, size_bytes: int, stream: Stream) -> None:
        """Enqueue setting bytes to `value`."""
        self._call(driver.memset_d8_async, address, value, size_bytes, self._streams[stream])

    def create_stream(self) -> Stream:
        """A stream that does not wait for the legacy default stream."""
        created = self._call(driver.Stream, _NON_BLOCKING)
        stream = Stream(int(created.handle))
        self._streams[stream] = created
        return stream

    def destroy_stream(self, stream: Stream) -> None:
        """Destroy a stream: PyCUDA does when nothing holds the object."""
        del self._streams[stream]

    def synchronise(self, stream: Stream) -> None:
        """Wait until everything in `stream` is done."""
        with _mapped(self._driver, "Stream.synchronize"):
            self._streams[stream].synchronize()

    def create_event(self) -> Event:
        """An event that records its time."""
        event = Event(next(self._event_numbers))
        self._events[event] = self._call(driver.Event)
        return event

    def destroy_event(self, event: Event) -> None:
        """Destroy an event: PyCUDA does when nothing holds the object."""
        del self._events[event]

    def record(self, event: Event, stream: Stream) -> None:
        """Enqueue recording of `event`."""
        with _mapped(self._driver, "Event.record"):
            self._events[event].record(self._streams[stream])

    def elapsed_s(self, start: Event, stop: Event) -> float:
        """Seconds between two events that have completed."""
        with _mapped(self._driver, "Event.time_till"):
            return float(self._events[start].time_till(self._events[stop])) * 1e-3

    def begin_capture(self, stream: Stream) -> None:
        """Capture what this thread enqueues in `stream` from now on, instead of doing it."""
        self._driver.begin_capture(stream)

    def end_capture(self, stream: Stream) -> GraphExec:
        """End the capture and make what was captured ready to be launched."""
        return self._driver.end_capture(stream)

    def abandon_capture(self, stream: Stream) -> None:
        """End a capture that went wrong."""
        self._driver.abandon_capture(stream)

    def launch(self, graph: GraphExec, stream: Stream) -> None:
        """Enqueue a captured graph."""
        self._driver.launch(graph, stream)

    def destroy_graph(self, graph: GraphExec) -> None:
        """Destroy a captured graph."""
        self._driver.destroy_graph(graph)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _mapped(self._driver, getattr(function, "__name__", "a call of PyCUDA")):
            return function(*arguments)


@contextmanager
def _mapped(binding: CudaDriver, call: str) -> Iterator[None]:
    """Turn PyCUDA's errors, which carry the driver's words but no number, into ours."""
    try:
        yield
    except driver.Error as error:
        text = str(error)
        meaning = text.partition(" failed: ")[2].partition(" - ")[0] or text
        number = binding.number_of(meaning)
        raise failure(
            text.partition(" failed: ")[0] if " failed: " in text else call, number, str(number), meaning
        ) from error
