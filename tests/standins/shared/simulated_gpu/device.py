"""The one device of this process."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
from functools import cache
from pathlib import Path

from simulated_gpu.memory import DEVICE_BASE, DeviceMemory, PinnedMemory, check_host
from simulated_gpu.misuse import RECORDED, Misuse
from simulated_gpu.scenario import REPORT_VARIABLE, Scenario
from simulated_gpu.streams import Clock, Event, Graph, GraphExec, Stream, Work

Handle = Stream | Event | Graph | GraphExec
_HANDLE_BASE = 0x5500_0000_0000


class SimulatedGpu:
    """Memory, streams, and everything that has a handle."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.memory = DeviceMemory(scenario.device.memory_bytes)
        self.pinned = PinnedMemory()
        self.clock = Clock(scenario.waits)
        self.cold = False
        self.all_zero_inputs = 0
        self.pageable_copies = 0
        self._handles: dict[int, Handle] = {0: Stream(self.clock)}
        self._last_handle = _HANDLE_BASE

    def register(self, handle: Handle) -> int:
        """A number for a new object."""
        self._last_handle += 0x40
        self._handles[self._last_handle] = handle
        return self._last_handle

    def resolve(self, number: int, kind: type[Handle]) -> Handle:
        """The living object of that number and kind."""
        found = self._handles.get(int(number))
        if not isinstance(found, kind):
            raise Misuse(f"{int(number):#x} is no {kind.__name__}")
        if found.destroyed:
            raise Misuse(f"{kind.__name__} {int(number):#x} is used after it was destroyed")
        return found

    def stream(self, number: int) -> Stream:
        """The stream of that handle; 0 is the default stream."""
        found = self.resolve(number, Stream)
        assert isinstance(found, Stream)
        return found

    def capturing(self) -> bool:
        """Whether any stream captures."""
        return any(isinstance(h, Stream) and h.capturing is not None for h in self._handles.values())

    def not_while_capturing(self, call: str) -> None:
        """Refuse a call that a capture (global mode) does not allow."""
        if self.capturing():
            raise Misuse(f"{call} while a stream captures")

    def synchronize(self) -> None:
        """Wait for all streams."""
        for handle in list(self._handles.values()):
            if isinstance(handle, Stream) and not handle.destroyed:
                handle.synchronize()

    def copy(self, target: int, source: int, size: int, kind: int) -> Work:
        """A copy as work; `kind` as ``cudaMemcpyKind`` counts (1: to the device, 2: to the host, 3: inside it)."""
        if kind not in (1, 2, 3):
            raise Misuse(f"copy of kind {kind}: the direction must be said")
        to_device, from_device = kind in (1, 3), kind in (2, 3)
        for address, on_device, what in ((target, to_device, "copy to"), (source, from_device, "copy from")):
            if on_device:
                self.memory.find(address, size, what)
            else:
                check_host(address, what)

        def act() -> None:
            data = self.memory.read(source, size, "copy") if from_device else ctypes.string_at(source, size)
            if to_device:
                self.memory.write(target, data, "copy")
            else:
                ctypes.memmove(target, data, size)

        rate = self.scenario.times.bytes_per_s if kind == 3 else self.scenario.times.copy_bytes_per_s
        return Work("copy", lambda: self._touch(size) or size / rate, act)

    def fill(self, target: int, value: int, size: int) -> Work:
        """Setting memory, as work."""
        self.memory.find(target, size, "memset")

        def act() -> None:
            self.memory.fill(target, value & 0xFF, size)

        return Work("memset", lambda: self._touch(size) or size / self.scenario.times.bytes_per_s, act)

    def is_pinned(self, address: int, size: int) -> bool:
        """Whether that is pinned host memory."""
        return address < DEVICE_BASE and self.pinned.holds(address, size)

    def _touch(self, size: int) -> None:
        if size > self.scenario.device.l2_bytes:
            self.cold = True

    def live_handles(self) -> list[str]:
        """What was created and not destroyed."""
        return [type(h).__name__ for n, h in self._handles.items() if n and not h.destroyed]

    def report(self) -> dict[str, object]:
        """What is left, and what went wrong, at this moment."""
        return {
            "misuses": list(RECORDED),
            "leaked_allocations": [a.size for a in self.memory.live()],
            "leaked_pinned": len(self.pinned.live()),
            "leaked_handles": self.live_handles(),
            "all_zero_inputs": self.all_zero_inputs,
            "pageable_copies": self.pageable_copies,
            "peak_device_bytes": self.memory.peak,
            "simulated_s": self.clock.host_s,
            "calls": dict(self.scenario.counts),
        }


@cache
def gpu() -> SimulatedGpu:
    """The device; the first call reads the scenario, and arranges the report at the end of the process."""
    device = SimulatedGpu(Scenario.from_environment())
    folder = os.environ.get(REPORT_VARIABLE)
    if folder:
        atexit.register(lambda: Path(folder, f"{os.getpid()}.json").write_text(json.dumps(device.report(), indent=1)))
    return device
