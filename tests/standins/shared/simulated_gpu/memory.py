"""Device memory: real bytes behind fake pointers, never reused, so that every stale pointer is found."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from dataclasses import dataclass, field

from simulated_gpu.misuse import Misuse

DEVICE_BASE = 0x7F_0000_0000_0000
"""Far above what Linux gives a process, so that no host address looks like one of the device's."""
_ALIGNMENT = 512
_RED_ZONE = 4096
_UNWRITTEN = 0xFF
"""Fresh memory is not zero: these bytes are NaN in every floating-point format."""


@dataclass
class Allocation:
    """One allocation; `data` is made when it is first needed, since most of the memory of an engine is never looked at.

    Attributes:
        version: Rises with each write.
        written: Whether anything was ever written.
        filled: The byte that all of it had before single bytes were written.
        owner: Who asked: ``program``, or a part of a stand-in, which frees it by itself.
    """

    address: int
    size: int
    owner: str = "program"
    freed: bool = False
    version: int = 0
    written: bool = False
    filled: int = _UNWRITTEN
    _data: bytearray | None = field(default=None, repr=False)

    @property
    def data(self) -> bytearray:
        """The bytes."""
        if self._data is None:
            self._data = bytearray([self.filled]) * self.size
        return self._data

    def fill(self, value: int, offset: int, size: int) -> None:
        """Set bytes; a whole allocation costs nothing until it is looked at."""
        if size == self.size:
            self.filled, self._data = value, None
        else:
            self.data[offset : offset + size] = bytes([value]) * size

    def drop(self) -> None:
        """Forget the bytes."""
        self.freed = True
        self._data = None


class DeviceMemory:
    """The memory of a device."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self.peak = 0
        self._next = DEVICE_BASE
        self._addresses: list[int] = []
        self._allocations: dict[int, Allocation] = {}

    def allocate(self, size: int, owner: str = "program") -> Allocation | None:
        """Memory of `size` bytes, or None if there is not so much left."""
        if size <= 0:
            raise Misuse(f"an allocation of {size} bytes gives a null pointer")
        if self.used + size > self.capacity:
            return None
        allocation = Allocation(self._next, size, owner)
        self._addresses.append(allocation.address)
        self._allocations[allocation.address] = allocation
        self._next += -(-(size + _RED_ZONE) // _ALIGNMENT) * _ALIGNMENT
        self.used += size
        self.peak = max(self.peak, self.used)
        return allocation

    def free(self, address: int) -> None:
        """Give memory back."""
        allocation = self._allocations.get(address)
        if allocation is None:
            raise Misuse(f"free of {address:#x}, which no allocation starts at")
        if allocation.freed:
            raise Misuse(f"{address:#x} is freed twice")
        allocation.drop()
        self.used -= allocation.size

    def find(self, address: int, size: int, what: str) -> tuple[Allocation, int]:
        """The allocation that holds `size` bytes at `address`, and the offset in it."""
        position = bisect_right(self._addresses, address) - 1
        allocation = self._allocations[self._addresses[position]] if position >= 0 else None
        if allocation is None or address >= allocation.address + allocation.size:
            raise Misuse(f"{what} at {address:#x}: not device memory")
        if allocation.freed:
            raise Misuse(f"{what} at {address:#x}: used after it was freed")
        offset = address - allocation.address
        if offset + size > allocation.size:
            raise Misuse(f"{what} of {size} bytes at {address:#x}: only {allocation.size - offset} are allocated")
        return allocation, offset

    def read(self, address: int, size: int, what: str = "read") -> bytes:
        """Bytes that were written before."""
        allocation, offset = self.find(address, size, what)
        if not allocation.written:
            raise Misuse(f"{what} at {address:#x}: nothing was ever written there")
        return bytes(memoryview(allocation.data)[offset : offset + size])

    def write(self, address: int, data: bytes, what: str = "write") -> None:
        """Write bytes."""
        allocation, offset = self.find(address, len(data), what)
        allocation.data[offset : offset + len(data)] = data
        allocation.version += 1
        allocation.written = True

    def fill(self, address: int, value: int, size: int) -> None:
        """Set bytes."""
        allocation, offset = self.find(address, size, "memset")
        allocation.fill(value, offset, size)
        allocation.version += 1
        allocation.written = True

    def live(self) -> tuple[Allocation, ...]:
        """What the program has not freed."""
        return tuple(a for a in self._allocations.values() if not a.freed and a.owner == "program")


class PinnedMemory:
    """Page-locked host memory: real addresses, since a program looks into it directly."""

    def __init__(self) -> None:
        self._buffers: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self._freed: set[int] = set()

    def allocate(self, size: int) -> int:
        """The address of `size` bytes."""
        if size <= 0:
            raise Misuse(f"an allocation of {size} bytes gives a null pointer")
        buffer = ctypes.create_string_buffer(bytes([_UNWRITTEN]) * size, size)
        address = ctypes.addressof(buffer)
        self._buffers[address] = buffer
        self._freed.discard(address)
        return address

    def free(self, address: int) -> None:
        """Give memory back."""
        if self._buffers.pop(address, None) is None:
            again = " again" if address in self._freed else ""
            raise Misuse(f"free{again} of {address:#x}, which is no pinned memory")
        self._freed.add(address)

    def holds(self, address: int, size: int) -> bool:
        """Whether all of these bytes are pinned."""
        return any(start <= address and address + size <= start + len(b) for start, b in self._buffers.items())

    def live(self) -> tuple[int, ...]:
        """What has not been freed."""
        return tuple(self._buffers)


def check_host(address: int, what: str) -> None:
    """Refuse a device pointer, or none, where host memory is meant."""
    if address == 0 or address >= DEVICE_BASE:
        raise Misuse(f"{what} at {address:#x}: not host memory")
