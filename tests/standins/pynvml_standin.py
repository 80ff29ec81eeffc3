"""A strict stand-in for the module ``pynvml`` of the package ``nvidia-ml-py``, for machines without a GPU.

It has the functions, constants and errors that are used here, under the names and signatures of the real module; a test
compares them. What is not here does not exist, handles are checked, and nothing answers before ``nvmlInit``.
A test sets up what there is in :data:`STATE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

NVML_SUCCESS = 0
NVML_ERROR_UNINITIALIZED = 1
NVML_ERROR_INVALID_ARGUMENT = 2
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_NOT_FOUND = 6
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_LIBRARY_NOT_FOUND = 12
NVML_ERROR_FUNCTION_NOT_FOUND = 13
NVML_ERROR_GPU_IS_LOST = 15
NVML_CLOCK_SM = 1
NVML_CLOCK_MEM = 2
NVML_TEMPERATURE_GPU = 0
_MESSAGES = {
    NVML_ERROR_UNINITIALIZED: "Uninitialized",
    NVML_ERROR_INVALID_ARGUMENT: "Invalid Argument",
    NVML_ERROR_NOT_SUPPORTED: "Not Supported",
    NVML_ERROR_NO_PERMISSION: "Insufficient Permissions",
    NVML_ERROR_NOT_FOUND: "Not Found",
    NVML_ERROR_DRIVER_NOT_LOADED: "Driver Not Loaded",
    NVML_ERROR_LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    NVML_ERROR_FUNCTION_NOT_FOUND: "Function Not Found",
    NVML_ERROR_GPU_IS_LOST: "GPU is lost",
}


class NVMLError(Exception):
    """An error of NVML; made from a code, it is of the class of that code."""

    def __new__(cls, value: int) -> NVMLError:
        made = Exception.__new__(_CLASSES.get(value, cls) if cls is NVMLError else cls)
        made.value = value
        return made

    value: int

    def __str__(self) -> str:
        return _MESSAGES[self.value]


class NVMLError_NotSupported(NVMLError):
    """The GPU does not have it."""


class NVMLError_NoPermission(NVMLError):
    """The user may not."""


class NVMLError_FunctionNotFound(NVMLError):
    """The driver is too old."""


_CLASSES = {
    NVML_ERROR_NOT_SUPPORTED: NVMLError_NotSupported,
    NVML_ERROR_NO_PERMISSION: NVMLError_NoPermission,
    NVML_ERROR_FUNCTION_NOT_FOUND: NVMLError_FunctionNotFound,
}


@dataclass(eq=False)
class Gpu:
    """What a simulated GPU is and does; `board` is the whole GPU of a MIG slice."""

    name: str = "NVIDIA GeForce RTX 4090"
    uuid: str = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    vbios: str = "95.02.3C.80.9F"
    capability: tuple[int, int] = (8, 9)
    memory_bytes: int = 24 * 2**30
    used_bytes: int = 512 * 2**20
    sm_mhz: int = 2520
    memory_mhz: int = 10501
    temperature_c: int = 47
    power_mw: int = 132_450
    limit_mw: int = 450_000
    persistent: int = 1
    processes: int = 1
    reasons: int = 0
    counters: dict[int, int] = field(default_factory=lambda: dict.fromkeys((74, 269, 270, 271), 0))
    board: Gpu | None = None


@dataclass
class State:
    """The machine: its GPUs, and codes that functions fail with."""

    gpus: list[Gpu] = field(default_factory=list)
    slices: list[Gpu] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    driver: str = "575.57.08"
    initialised: int = 0
    calls: list[str] = field(default_factory=list)


STATE = State()


def reset(*gpus: Gpu) -> State:
    """A new machine with these GPUs."""
    STATE.__init__(list(gpus))  # type: ignore[misc]
    return STATE


def _enter(function: str, *handles: object) -> None:
    STATE.calls.append(function)
    if function in STATE.faults:
        raise NVMLError(STATE.faults[function])
    if not STATE.initialised and function != "nvmlInit":
        raise NVMLError(NVML_ERROR_UNINITIALIZED)
    for handle in handles:
        if not any(handle is gpu for gpu in (*STATE.gpus, *STATE.slices)):
            raise NVMLError(NVML_ERROR_INVALID_ARGUMENT)


def _whole(function: str, handle: Gpu) -> Gpu:
    """The handle, where a MIG slice has no such property."""
    _enter(function, handle)
    if handle.board is not None:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return handle


def nvmlInit() -> None:
    _enter("nvmlInit")
    STATE.initialised += 1


def nvmlShutdown() -> None:
    _enter("nvmlShutdown")
    STATE.initialised -= 1


def nvmlSystemGetDriverVersion() -> str:
    _enter("nvmlSystemGetDriverVersion")
    return STATE.driver


def nvmlDeviceGetCount() -> int:
    _enter("nvmlDeviceGetCount")
    return len(STATE.gpus)


def nvmlDeviceGetHandleByIndex(index: int) -> Gpu:
    _enter("nvmlDeviceGetHandleByIndex")
    if not 0 <= index < len(STATE.gpus):
        raise NVMLError(NVML_ERROR_INVALID_ARGUMENT)
    return STATE.gpus[index]


def nvmlDeviceGetHandleByUUID(uuid: str) -> Gpu:
    _enter("nvmlDeviceGetHandleByUUID")
    for gpu in (*STATE.gpus, *STATE.slices):
        if gpu.uuid == uuid:
            return gpu
    raise NVMLError(NVML_ERROR_NOT_FOUND)


def nvmlDeviceIsMigDeviceHandle(device: Gpu) -> int:
    _enter("nvmlDeviceIsMigDeviceHandle", device)
    return int(device.board is not None)


def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(migDevice: Gpu) -> Gpu:
    _enter("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", migDevice)
    if migDevice.board is None:
        raise NVMLError(NVML_ERROR_INVALID_ARGUMENT)
    return migDevice.board


def nvmlDeviceGetName(handle: Gpu) -> str:
    _enter("nvmlDeviceGetName", handle)
    return handle.name


def nvmlDeviceGetUUID(handle: Gpu) -> str:
    _enter("nvmlDeviceGetUUID", handle)
    return handle.uuid


def nvmlDeviceGetVbiosVersion(handle: Gpu) -> str:
    return _whole("nvmlDeviceGetVbiosVersion", handle).vbios


def nvmlDeviceGetCudaComputeCapability(handle: Gpu) -> tuple[int, int]:
    return _whole("nvmlDeviceGetCudaComputeCapability", handle).capability


def nvmlDeviceGetMemoryInfo(handle: Gpu, version: int | None = None) -> SimpleNamespace:
    _enter("nvmlDeviceGetMemoryInfo", handle)
    free = handle.memory_bytes - handle.used_bytes
    return SimpleNamespace(total=handle.memory_bytes, free=free, used=handle.used_bytes)


def nvmlDeviceGetClockInfo(handle: Gpu, type: int) -> int:
    gpu = _whole("nvmlDeviceGetClockInfo", handle)
    return {NVML_CLOCK_SM: gpu.sm_mhz, NVML_CLOCK_MEM: gpu.memory_mhz}[type]


def nvmlDeviceGetMaxClockInfo(handle: Gpu, type: int) -> int:
    gpu = _whole("nvmlDeviceGetMaxClockInfo", handle)
    return {NVML_CLOCK_SM: 3105, NVML_CLOCK_MEM: gpu.memory_mhz}[type]


def nvmlDeviceGetApplicationsClock(handle: Gpu, type: int) -> int:
    _whole("nvmlDeviceGetApplicationsClock", handle)
    raise NVMLError(NVML_ERROR_NOT_SUPPORTED)


def nvmlDeviceGetTemperature(handle: Gpu, sensor: int) -> int:
    assert sensor == NVML_TEMPERATURE_GPU
    return _whole("nvmlDeviceGetTemperature", handle).temperature_c


def nvmlDeviceGetPowerUsage(handle: Gpu) -> int:
    return _whole("nvmlDeviceGetPowerUsage", handle).power_mw


def nvmlDeviceGetEnforcedPowerLimit(handle: Gpu) -> int:
    return _whole("nvmlDeviceGetEnforcedPowerLimit", handle).limit_mw


def nvmlDeviceGetPersistenceMode(handle: Gpu) -> int:
    return _whole("nvmlDeviceGetPersistenceMode", handle).persistent


def nvmlDeviceGetEccMode(handle: Gpu) -> list[int]:
    _whole("nvmlDeviceGetEccMode", handle)
    return [0, 0]


def nvmlDeviceGetComputeRunningProcesses(handle: Gpu) -> list[SimpleNamespace]:
    _enter("nvmlDeviceGetComputeRunningProcesses", handle)
    return [SimpleNamespace(pid=1000 + number, usedGpuMemory=None) for number in range(handle.processes)]


def nvmlDeviceGetCurrentClocksEventReasons(handle: Gpu) -> int:
    return _whole("nvmlDeviceGetCurrentClocksEventReasons", handle).reasons


def nvmlDeviceGetCurrentClocksThrottleReasons(handle: Gpu) -> int:
    return _whole("nvmlDeviceGetCurrentClocksThrottleReasons", handle).reasons


def nvmlDeviceGetFieldValues(handle: Gpu, fieldIds: list[int]) -> list[SimpleNamespace]:
    counters = _whole("nvmlDeviceGetFieldValues", handle).counters
    return [
        SimpleNamespace(
            fieldId=number,
            nvmlReturn=NVML_SUCCESS if number in counters else NVML_ERROR_NOT_SUPPORTED,
            value=SimpleNamespace(ullVal=counters.get(number, 0)),
        )
        for number in fieldIds
    ]
