"""What NVML tells about a GPU: facts of the device once, its conditions beside every group of samples.

Everything that can change a latency is read. What cannot be (no library, no driver, no permission, a GPU that does not
support it) is left out and named among the facts; it never stops a measurement. The library is the package
``nvidia-ml-py``, whose module is ``pynvml``.

NVML counts GPUs in the order of the PCI bus, CUDA by speed unless ``CUDA_DEVICE_ORDER`` says otherwise; so a measuring
process is started with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, and both mean the same GPU by the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from hyctas.measurement import DeviceConditions

INSTALL: Final = "pip install 'hyctas[nvml]'"
VISIBLE_DEVICES: Final = "CUDA_VISIBLE_DEVICES"
NO_DEVICES: Final = ("", "-1", "NoDevFiles")
"""First entries of ``CUDA_VISIBLE_DEVICES`` that hide every GPU."""
REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x001: "gpu_idle",
        0x002: "applications_clocks_setting",
        0x004: "sw_power_cap",
        0x008: "hw_slowdown",
        0x010: "sync_boost",
        0x020: "sw_thermal_slowdown",
        0x040: "hw_thermal_slowdown",
        0x080: "hw_power_brake",
        0x100: "display_clock_setting",
    }
)
"""Our names of NVML's bits ``nvmlClocksEventReason...`` (``nvmlClocksThrottleReason...`` before driver 535)."""
COUNTERS: Final[Mapping[int, str]] = MappingProxyType(
    {74: "sw_power_cap", 269: "sw_thermal_slowdown", 270: "hw_thermal_slowdown", 271: "hw_power_brake"}
)
"""Fields ``NVML_FI_DEV_CLOCKS_EVENT_REASON_...``: nanoseconds for which a reason has held the clocks down so far. They
show what came and went between two readings, which the bits of the moment do not."""
_MHZ: Final = 1e6
_MILLI: Final = 1e-3


class GpuMonitor:
    """Reads the first GPU that CUDA may use.

    Attributes:
        unreadable: By name of what could not be read, why.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Open NVML and find the GPU; whatever is missing is kept in `unreadable`.

        Args:
            environment: The process's; ``CUDA_VISIBLE_DEVICES`` in it chooses the GPU.
        """
        self.unreadable: dict[str, str] = {}
        self._nvml: Any = None
        self._gpu: Any = None
        self._board: Any = None
        self._counted: Mapping[str, int] = {}
        self._refused: set[str] = set()
        """What this GPU never tells."""
        try:
            self._nvml = import_module("pynvml")
            self._nvml.nvmlInit()
            self._gpu = _first_visible(self._nvml, environment.get(VISIBLE_DEVICES))
            self._board = _board(self._nvml, self._gpu)
            self._counted = self._counters()
        except ImportError as error:
            self.unreadable["nvml"] = f"{error}; {INSTALL}"
        except LookupError as error:
            self.unreadable["nvml"] = str(error.args[0])
        except Exception as error:
            if not self._is_nvml_error(error):
                raise
            self.unreadable["nvml"] = str(error)

    @property
    def available(self) -> bool:
        """Whether there is a GPU that can be asked."""
        return self._board is not None

    @property
    def missing(self) -> str:
        """Why no GPU can be asked; empty if one can."""
        return self.unreadable.get("nvml", "")

    def name(self) -> str | None:
        """The name of the product, such as ``NVIDIA GeForce RTX 4090``."""
        found = self._read("name", lambda nvml: nvml.nvmlDeviceGetName(self._gpu))
        return None if found is None else _text(found)

    def facts(self) -> dict[str, str]:
        """What identifies the hardware."""
        capability = self._read("compute capability", lambda nvml: nvml.nvmlDeviceGetCudaComputeCapability(self._board))
        memory = self._read("memory", lambda nvml: nvml.nvmlDeviceGetMemoryInfo(self._gpu))
        found = {
            "gpu": self.name(),
            "gpu compute capability": capability and ".".join(map(str, capability)),
            "gpu memory": memory and f"{memory.total // 2**20} MiB",
            "gpu max sm clock": self._megahertz("max sm clock", "nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_SM"),
            "gpu max memory clock": self._megahertz("max memory clock", "nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_MEM"),
        }
        return {name: value for name, value in found.items() if value}

    def environment(self) -> dict[str, str]:
        """What about the GPU and its driver could change a latency, and what of that could not be read."""
        persistence = self._read("persistence mode", lambda nvml: nvml.nvmlDeviceGetPersistenceMode(self._board))
        ecc = self._read("ecc mode", lambda nvml: nvml.nvmlDeviceGetEccMode(self._board))
        limit_mw = self._read("power limit", lambda nvml: nvml.nvmlDeviceGetEnforcedPowerLimit(self._board))
        driver = self._read("driver", lambda nvml: nvml.nvmlSystemGetDriverVersion())
        vbios = self._read("vbios", lambda nvml: nvml.nvmlDeviceGetVbiosVersion(self._board))
        uuid = self._read("uuid", lambda nvml: nvml.nvmlDeviceGetUUID(self._gpu))
        set_clock = self._megahertz("applications clock", "nvmlDeviceGetApplicationsClock", "NVML_CLOCK_SM")
        processes = self.conditions().compute_processes
        found = {
            "gpu uuid": uuid and _text(uuid),
            "gpu driver": driver and _text(driver),
            "gpu vbios": vbios and _text(vbios),
            "gpu power limit": limit_mw and f"{limit_mw * _MILLI:g} W",
            "gpu persistence mode": _switch(persistence),
            "gpu ecc": _switch(ecc[0] if ecc else None),
            "gpu applications clock": set_clock,
            "gpu compute processes": None if processes is None else str(processes),
        }
        known = {**self.facts(), **{name: value for name, value in found.items() if value}}
        missing = "; ".join(f"{name}: {why}" for name, why in sorted(self.unreadable.items()))
        return {**known, "gpu unreadable": missing} if missing else known

    def conditions(self) -> DeviceConditions:
        """The state of the GPU now, and what held its clocks down since the last call."""
        memory = self._read("memory", lambda nvml: nvml.nvmlDeviceGetMemoryInfo(self._gpu))
        power_mw = self._read("power", lambda nvml: nvml.nvmlDeviceGetPowerUsage(self._board))
        processes = self._read("compute processes", lambda nvml: nvml.nvmlDeviceGetComputeRunningProcesses(self._gpu))
        return DeviceConditions(
            sm_clock_hz=self._clock_hz("sm clock", "NVML_CLOCK_SM"),
            memory_clock_hz=self._clock_hz("memory clock", "NVML_CLOCK_MEM"),
            temperature_c=self._read(
                "temperature", lambda nvml: float(nvml.nvmlDeviceGetTemperature(self._board, nvml.NVML_TEMPERATURE_GPU))
            ),
            power_w=None if power_mw is None else power_mw * _MILLI,
            throttle_reasons=self._throttle_reasons(),
            compute_processes=None if processes is None else len(processes),
            memory_used_bytes=None if memory is None else int(memory.used),
        )

    def close(self) -> None:
        """Let NVML go; nothing can be read afterwards."""
        if self._nvml is not None and "nvml" not in self.unreadable:
            self._nvml.nvmlShutdown()
        self._gpu = self._board = None

    def _throttle_reasons(self) -> tuple[str, ...]:
        """Reasons of this moment and reasons whose counter grew, in the order of :data:`REASONS`."""
        bits = self._read("throttle reasons", self._reason_bits) or 0
        counted, before = self._counters(), self._counted
        self._counted = counted
        grown = {name for name, nanoseconds in counted.items() if nanoseconds > before.get(name, nanoseconds)}
        return tuple(name for bit, name in REASONS.items() if bits & bit or name in grown)

    def _reason_bits(self, nvml: Any) -> int:
        """The bits under NVML's name of today, or under the old one where the driver is old."""
        try:
            return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(self._board))
        except (AttributeError, nvml.NVMLError_FunctionNotFound):
            return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._board))

    def _counters(self) -> dict[str, int]:
        """Nanoseconds by reason, of the counters that this GPU has."""
        values = self._read(
            "throttle counters", lambda nvml: nvml.nvmlDeviceGetFieldValues(self._board, list(COUNTERS))
        )
        found = {}
        for value in values or ():
            if value.nvmlReturn == self._nvml.NVML_SUCCESS:
                found[COUNTERS[value.fieldId]] = int(value.value.ullVal)
            else:
                self.unreadable[f"counter of {COUNTERS[value.fieldId]}"] = str(self._nvml.NVMLError(value.nvmlReturn))
        return found

    def _clock_hz(self, what: str, kind: str) -> float | None:
        found = self._read(what, lambda nvml: nvml.nvmlDeviceGetClockInfo(self._board, getattr(nvml, kind)))
        return None if found is None else found * _MHZ

    def _megahertz(self, what: str, function: str, kind: str) -> str | None:
        found = self._read(what, lambda nvml: getattr(nvml, function)(self._board, getattr(nvml, kind)))
        return None if found is None else f"{found} MHz"

    def _read(self, what: str, ask: Callable[[Any], Any]) -> Any:
        """What `ask` returns, or None after noting why not; what is not offered at all is not asked for again."""
        if not self.available or what in self._refused:
            return None
        try:
            return ask(self._nvml)
        except AttributeError as error:
            self._refused.add(what)
            self.unreadable[what] = f"pynvml is too old: {error}"
        except Exception as error:
            if not self._is_nvml_error(error):
                raise
            if isinstance(error, _refusals(self._nvml)):
                self._refused.add(what)
            self.unreadable[what] = str(error)
        return None

    def _is_nvml_error(self, error: Exception) -> bool:
        return self._nvml is not None and isinstance(error, self._nvml.NVMLError)


def _first_visible(nvml: Any, listed: str | None) -> Any:
    """Handle of the first GPU, or of the first that ``CUDA_VISIBLE_DEVICES`` lists by number or (start of a) UUID.

    Raises:
        LookupError: There is none, or none that is listed.
    """
    first = "0" if listed is None else listed.split(",")[0].strip()
    if first in NO_DEVICES:
        raise LookupError(f"{VISIBLE_DEVICES}={listed} hides every GPU")
    count = nvml.nvmlDeviceGetCount()
    if first.isdigit():
        if int(first) >= count:
            raise LookupError(f"there is no GPU {first}: the driver knows {count}")
        return nvml.nvmlDeviceGetHandleByIndex(int(first))
    if first.startswith("MIG-"):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    for handle in map(nvml.nvmlDeviceGetHandleByIndex, range(count)):
        if _text(nvml.nvmlDeviceGetUUID(handle)).startswith(first):
            return handle
    raise LookupError(f"none of {count} GPUs has a UUID that starts with {first}")


def _board(nvml: Any, gpu: Any) -> Any:
    """The GPU itself, or the whole one that a MIG slice is part of: clocks, power and heat are the board's."""
    try:
        slice_ = nvml.nvmlDeviceIsMigDeviceHandle(gpu)
    except (AttributeError, nvml.NVMLError):
        return gpu
    return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(gpu) if slice_ else gpu


def _refusals(nvml: Any) -> tuple[type[Exception], ...]:
    """Errors that will not go away."""
    return (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission, nvml.NVMLError_FunctionNotFound)


def _switch(state: int | None) -> str | None:
    return None if state is None else ("on" if state else "off")


def _text(value: str | bytes) -> str:
    """Old versions of pynvml return bytes."""
    return value.decode() if isinstance(value, bytes) else value
