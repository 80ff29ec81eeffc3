"""Reading a GPU through NVML, with a strict stand-in for the module that is compared with the real one."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from hyctas.measurement import DeviceConditions
from profiler.nvml import COUNTERS, REASONS, GpuMonitor


def public(module: ModuleType) -> dict[str, Any]:
    """What a stand-in stands in for: all but its own set-up."""
    return {name: value for name, value in vars(module).items() if name.startswith(("nvml", "NVML"))}


def test_standin_has_names_and_signatures_of_the_real_module(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pynvml")
    real = importlib.import_module("pynvml")
    assert real is not nvml
    for name, value in public(nvml).items():
        if inspect.isclass(value):
            assert issubclass(getattr(real, name), real.NVMLError)
        elif callable(value):
            assert list(inspect.signature(value).parameters) == list(inspect.signature(getattr(real, name)).parameters)
        else:
            assert getattr(real, name) == value
    for code, message in nvml._MESSAGES.items():
        assert str(real.NVMLError(code)) == message
    monkeypatch.setitem(sys.modules, "pynvml", real)


def test_names_of_reasons_and_counters_are_those_of_the_real_module() -> None:
    real = importlib.import_module("pynvml")
    ours = {name.replace("_", ""): bit for bit, name in REASONS.items()}
    theirs = {
        name.removeprefix("nvmlClocksEventReason").lower().removesuffix("slowdown"): bit
        for name, bit in vars(real).items()
        if name.startswith("nvmlClocksEventReason")
    }
    assert {name.removesuffix("slowdown"): bit for name, bit in ours.items()}.items() <= theirs.items()
    prefix = "NVML_FI_DEV_CLOCKS_EVENT_REASON_"
    fields = {number: name.removeprefix(prefix) for name, number in vars(real).items() if name.startswith(prefix)}
    short = {
        number: name.replace("_SLOWDOWN", "").replace("THERM", "THERMAL").lower() for number, name in fields.items()
    }
    assert {number: name.replace("_slowdown", "") for number, name in COUNTERS.items()}.items() <= short.items()


def test_environment_holds_what_can_change_a_latency(nvml: Any) -> None:
    environment = GpuMonitor({}).environment()
    assert environment == {
        "gpu": "NVIDIA GeForce RTX 4090",
        "gpu uuid": nvml.STATE.gpus[0].uuid,
        "gpu vbios": nvml.STATE.gpus[0].vbios,
        "gpu compute capability": "8.9",
        "gpu memory": "24576 MiB",
        "gpu max sm clock": "3105 MHz",
        "gpu max memory clock": "10501 MHz",
        "gpu driver": "575.57.08",
        "gpu power limit": "450 W",
        "gpu persistence mode": "on",
        "gpu ecc": "off",
        "gpu compute processes": "1",
        "gpu unreadable": "applications clock: Not Supported",
    }


def test_conditions_are_in_si_units(nvml: Any) -> None:
    assert GpuMonitor({}).conditions() == DeviceConditions(2.52e9, 10.501e9, 47.0, 132.45, (), 1, 512 * 2**20)


def test_reasons_of_the_moment_have_names(nvml: Any) -> None:
    monitor = GpuMonitor({})
    nvml.STATE.gpus[0].reasons = 0x1 | 0x8 | 0x40
    assert monitor.conditions().throttle_reasons == ("gpu_idle", "hw_slowdown", "hw_thermal_slowdown")


def test_throttling_that_came_and_went_is_seen_once(nvml: Any) -> None:
    gpu = nvml.STATE.gpus[0]
    gpu.counters[74] = 7_000_000
    monitor = GpuMonitor({})
    assert monitor.conditions().throttle_reasons == ()
    gpu.counters |= {74: 9_000_000, 271: 1}
    assert monitor.conditions().throttle_reasons == ("sw_power_cap", "hw_power_brake")
    assert monitor.conditions().throttle_reasons == ()


def test_counters_that_a_gpu_lacks_are_named_and_the_others_count(nvml: Any) -> None:
    gpu = nvml.STATE.gpus[0]
    del gpu.counters[269]
    monitor = GpuMonitor({})
    gpu.counters[270] += 1
    assert monitor.conditions().throttle_reasons == ("hw_thermal_slowdown",)
    assert monitor.unreadable["counter of sw_thermal_slowdown"] == "Not Supported"


def test_old_driver_is_asked_by_the_old_name(nvml: Any) -> None:
    nvml.STATE.faults["nvmlDeviceGetCurrentClocksEventReasons"] = nvml.NVML_ERROR_FUNCTION_NOT_FOUND
    nvml.STATE.gpus[0].reasons = 0x20
    assert GpuMonitor({}).conditions().throttle_reasons == ("sw_thermal_slowdown",)


@pytest.mark.parametrize("code", ["NVML_ERROR_NOT_SUPPORTED", "NVML_ERROR_NO_PERMISSION"])
def test_what_is_refused_is_left_out_named_and_not_asked_again(nvml: Any, code: str) -> None:
    nvml.STATE.faults["nvmlDeviceGetPowerUsage"] = getattr(nvml, code)
    monitor = GpuMonitor({})
    first, second = monitor.conditions(), monitor.conditions()
    assert first.power_w is second.power_w is None
    assert first.temperature_c == 47.0
    assert nvml.STATE.calls.count("nvmlDeviceGetPowerUsage") == 1
    assert "power: " in monitor.environment()["gpu unreadable"]


def test_error_that_may_pass_is_asked_again(nvml: Any) -> None:
    nvml.STATE.faults["nvmlDeviceGetPowerUsage"] = nvml.NVML_ERROR_GPU_IS_LOST
    monitor = GpuMonitor({})
    assert monitor.conditions().power_w is None
    del nvml.STATE.faults["nvmlDeviceGetPowerUsage"]
    assert monitor.conditions().power_w == 132.45


def test_function_that_an_old_pynvml_lacks_is_named(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(nvml, "nvmlDeviceGetEnforcedPowerLimit")
    environment = GpuMonitor({}).environment()
    assert "gpu power limit" not in environment
    assert "power limit: pynvml is too old" in environment["gpu unreadable"]


def test_every_single_call_may_fail(nvml: Any) -> None:
    for name in public(nvml):
        if name.startswith("nvml"):
            nvml.reset(nvml.Gpu()).faults[name] = nvml.NVML_ERROR_NOT_SUPPORTED
            if name != "nvmlShutdown":
                monitor = GpuMonitor({})
                assert isinstance(monitor.conditions(), DeviceConditions)
                assert monitor.environment()


def without_module(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def without_library(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.STATE.faults["nvmlInit"] = nvml.NVML_ERROR_LIBRARY_NOT_FOUND


def without_gpu(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.reset()


@pytest.mark.parametrize(
    ("remove", "reason"),
    [
        (without_module, "pip install 'hyctas[nvml]'"),
        (without_library, "NVML Shared Library Not Found"),
        (without_gpu, "there is no GPU 0: the driver knows 0"),
    ],
)
def test_without_nvml_there_are_no_conditions_but_a_reason(
    nvml: Any, monkeypatch: pytest.MonkeyPatch, remove: Callable[..., None], reason: str
) -> None:
    remove(nvml, monkeypatch)
    monitor = GpuMonitor({})
    assert not monitor.available
    assert reason in monitor.missing
    assert monitor.conditions() == DeviceConditions()
    assert list(monitor.environment()) == ["gpu unreadable"]
    assert monitor.name() is None
    monitor.close()


@pytest.mark.parametrize(
    ("listed", "name"),
    [(None, "first"), ("0", "first"), ("1,0", "second"), (" 1 ", "second"), ("GPU-bb", "second")],
)
def test_first_visible_gpu_is_read(nvml: Any, listed: str | None, name: str) -> None:
    nvml.reset(nvml.Gpu(name="first", uuid="GPU-aa-1"), nvml.Gpu(name="second", uuid="GPU-bb-2"))
    assert GpuMonitor({} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}).name() == name


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("", "hides every GPU"),
        ("-1", "hides every GPU"),
        ("3", "there is no GPU 3: the driver knows 1"),
        ("GPU-cc", "none of 1 GPUs has a UUID that starts with GPU-cc"),
        ("MIG-cc", "Not Found"),
    ],
)
def test_hidden_or_unknown_gpu_is_a_reason(nvml: Any, listed: str, reason: str) -> None:
    assert reason in GpuMonitor({"CUDA_VISIBLE_DEVICES": listed}).missing


def test_slice_of_a_gpu_has_the_clocks_of_its_board(nvml: Any) -> None:
    board = nvml.STATE.gpus[0]
    nvml.STATE.slices.append(nvml.Gpu(name="A100 MIG 1g.5gb", uuid="MIG-1", used_bytes=7, processes=3, board=board))
    monitor = GpuMonitor({"CUDA_VISIBLE_DEVICES": "MIG-1"})
    assert monitor.name() == "A100 MIG 1g.5gb"
    assert monitor.conditions() == DeviceConditions(2.52e9, 10.501e9, 47.0, 132.45, (), 3, 7)


def test_close_lets_the_library_go(nvml: Any) -> None:
    monitor = GpuMonitor({})
    monitor.close()
    assert nvml.STATE.initialised == 0
    assert not monitor.available
