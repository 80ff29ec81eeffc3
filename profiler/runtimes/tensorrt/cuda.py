"""The part of CUDA that measuring needs, as a seam: two bindings stand behind it.

NVIDIA's own samples use cuda-python (``cuda_python.py``); PyCUDA (``cuda_pycuda.py``) does the same work where it is
what is installed, or what is asked for. Which one it was is part of a measurement's environment.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, NewType, Protocol

import numpy as np
import numpy.typing as npt

from hyctas.errors import InvalidInput, MeasuringError, RuntimeUnavailable

Address = NewType("Address", int)
Stream = NewType("Stream", int)
Event = NewType("Event", int)
GraphExec = NewType("GraphExec", int)
Pinned = npt.NDArray[np.uint8]
"""Page-locked host memory, as bytes: copies from and to it run beside the host's work."""

BINDING_VARIABLE: Final = "HYCTAS_CUDA_BINDING"
"""Environment variable that picks a binding; read by composition roots only."""

LOST: Final = frozenset({214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719})
"""Errors after which every later call of a process fails too: uncorrectable memory and link errors, illegal
addresses and instructions, launch failures and time-outs, a destroyed context. Runtime and driver number them alike."""
OUT_OF_MEMORY: Final = 2


@dataclass(frozen=True, slots=True)
class DeviceProperties:
    """What a device is.

    Attributes:
        name: As the driver calls it.
        compute_capability: Major and minor.
        l2_bytes: Size of the L2 cache.
    """

    name: str
    compute_capability: tuple[int, int]
    l2_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryInfo:
    """Memory of a device, of all processes together."""

    free_bytes: int
    total_bytes: int

    @property
    def used_bytes(self) -> int:
        """What is in use, by whomever."""
        return self.total_bytes - self.free_bytes


class Cuda(Protocol):
    """A binding, with the first visible device current.

    Every method raises :class:`CudaError` (or one of its kinds) where CUDA returns an error.
    """

    @property
    def name(self) -> str:
        """The binding and its version."""

    def versions(self) -> Mapping[str, str]:
        """Versions of the CUDA runtime and of the highest CUDA that the driver supports."""

    def properties(self) -> DeviceProperties:
        """What the device is."""

    def memory(self) -> MemoryInfo:
        """How much of the device's memory is in use."""

    def malloc(self, size_bytes: int) -> Address:
        """Allocate device memory."""

    def free(self, address: Address) -> None:
        """Free device memory."""

    def pinned(self, size_bytes: int) -> Pinned:
        """Allocate page-locked host memory."""

    def free_pinned(self, array: Pinned) -> None:
        """Free page-locked host memory; neither it nor a view of it may be used afterwards."""

    def to_device(self, address: Address, array: Pinned, stream: Stream) -> None:
        """Enqueue a copy of all of `array` to the device."""

    def to_host(self, array: Pinned, address: Address, stream: Stream) -> None:
        """Enqueue a copy from the device that fills `array`."""

    def memset(self, address: Address, value: int, size_bytes: int, stream: Stream) -> None:
        """Enqueue setting bytes to `value`."""

    def create_stream(self) -> Stream:
        """A stream that does not wait for the legacy default stream."""

    def destroy_stream(self, stream: Stream) -> None:
        """Destroy a stream."""

    def synchronise(self, stream: Stream) -> None:
        """Wait until everything in `stream` is done."""

    def create_event(self) -> Event:
        """An event that records its time."""

    def destroy_event(self, event: Event) -> None:
        """Destroy an event."""

    def record(self, event: Event, stream: Stream) -> None:
        """Enqueue recording of `event`."""

    def elapsed_s(self, start: Event, stop: Event) -> float:
        """Seconds between two events that have completed."""

    def begin_capture(self, stream: Stream) -> None:
        """Capture what is enqueued in `stream` from now on, instead of doing it."""

    def end_capture(self, stream: Stream) -> GraphExec:
        """End the capture and make what was captured ready to be launched."""

    def abandon_capture(self, stream: Stream) -> None:
        """End a capture that went wrong; `stream` can be used again."""

    def launch(self, graph: GraphExec, stream: Stream) -> None:
        """Enqueue a captured graph."""

    def destroy_graph(self, graph: GraphExec) -> None:
        """Destroy a captured graph."""


class CudaError(MeasuringError):
    """A call of CUDA failed.

    Args:
        call: Name of the call.
        code: Number or name of the error.
        meaning: What CUDA says about it.
    """

    def __init__(self, call: str, code: str, meaning: str) -> None:
        self.call = call
        self.code = code
        super().__init__(f"{call} failed with {code}: {meaning}")


class CudaOutOfMemory(CudaError, MemoryError):
    """The device, or page-locked memory of the host, is used up."""


class DeviceLost(BaseException):
    """An error after which no call of this process can succeed.

    Not an :class:`Exception`, so that nobody takes it for the failure of one workload and goes on: the measuring
    process ends, the workload at work is to blame, and the others are measured again in another process.
    """


def failure(call: str, number: int, code: str, meaning: str) -> CudaError | DeviceLost:
    """What to raise when `call` returned the error `number`, named `code`."""
    if number in LOST:
        return DeviceLost(f"{call} failed with {code}: {meaning}; this process cannot use the device any more")
    kind = CudaOutOfMemory if number == OUT_OF_MEMORY else CudaError
    return kind(call, code, meaning)


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a binding comes from.

    Attributes:
        module: The module that it needs.
        location: ``module:function`` of ours, returning a :class:`Cuda`.
        install: How to install it.
    """

    module: str
    location: str
    install: str


BINDINGS: Final[Mapping[str, Binding]] = MappingProxyType(
    {
        "cuda-python": Binding(
            "cuda.bindings", "profiler.runtimes.tensorrt.cuda_python:open_cuda_python", "pip install cuda-python"
        ),
        "pycuda": Binding(
            "pycuda",
            "profiler.runtimes.tensorrt.cuda_pycuda:open_pycuda",
            "pip install pycuda (it is built from source)",
        ),
    }
)


_preferred: ContextVar[str | None] = ContextVar("preferred CUDA binding", default=None)


def prefer_binding(name: str | None) -> None:
    """Choose the binding that :func:`open_cuda` opens from now on; None is the first that is installed.

    Raises:
        InvalidInput: No binding has that name.
    """
    if name and name not in BINDINGS:
        raise InvalidInput(BINDING_VARIABLE, name, f"one of {', '.join(BINDINGS)}")
    _preferred.set(name or None)


def open_cuda() -> Cuda:
    """Open the preferred binding, or the first that is installed, on the first visible device.

    Raises:
        RuntimeUnavailable: It is not installed, there is no driver, or no device.
    """
    name = _preferred.get()
    binding = BINDINGS[name] if name else _first_installed()
    module, _, function = binding.location.partition(":")
    try:
        opener: Callable[[], Cuda] = getattr(import_module(module), function)
    except ImportError as error:
        raise RuntimeUnavailable(f"{binding.module} cannot be imported ({error}); {binding.install}") from error
    return opener()


def _first_installed() -> Binding:
    """The first binding whose module exists."""
    for binding in BINDINGS.values():
        if _installed(binding.module):
            return binding
    ways = ", or ".join(binding.install for binding in BINDINGS.values())
    raise RuntimeUnavailable(f"no CUDA binding for Python is installed; {ways}")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def no_device(reason: str) -> RuntimeUnavailable:
    """What to raise where there is no device to open."""
    return RuntimeUnavailable(
        f"no CUDA device ({reason}); install an NVIDIA GPU with its driver; see CUDA_VISIBLE_DEVICES"
    )


def cuda_version(number: int) -> str:
    """A version of CUDA as people write it: 12090 is 12.9."""
    return f"{number // 1000}.{number % 1000 // 10}"
