"""A machine with a GPU that is not there: stand-ins for TensorRT 10 or 11, CUDA and NVML, on a simulated device.

:func:`simulation` puts them on the path of measuring processes; :func:`on_device` imports them into this process.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hyctas.graph import Graph
from tests.profiler.tensorrt.driver import Driver, Running, small_graph

STANDINS = Path(__file__).parents[2] / "standins"
VERSIONS = (10, 11)
_REPLACED = (
    "tensorrt",
    "standin_tensorrt",
    "simulated_gpu",
    "cuda",
    "pynvml",
    "profiler.runtimes.tensorrt.cuda_python",
)
"""Modules that are imported anew for each test, and whatever is inside of them."""


@dataclass
class Simulation:
    """The simulated machine of one test.

    Attributes:
        version: Major version of TensorRT.
        folder: Where its scenario is, and where its processes report as they end.
        tolerated: Words of misuses that a test is about.
    """

    version: int
    folder: Path
    tolerated: tuple[str, ...] = ()

    def scenario(self, **document: Any) -> None:
        """Set what the machine is and what goes wrong on it for processes to come; see ``simulated_gpu.scenario``."""
        (self.folder / "scenario.json").write_text(json.dumps(document))

    def reports(self) -> list[dict[str, Any]]:
        """What the processes that used the device said as they ended; one that was killed says nothing."""
        return [json.loads(path.read_text()) for path in sorted((self.folder / "reports").iterdir())]

    def check(self) -> None:
        """Nothing was used in a wrong way, and everything was given back."""
        for report in self.reports():
            misuses = [text for text in report["misuses"] if not any(word in text for word in self.tolerated)]
            assert misuses == []
            assert report["leaked_allocations"] == []
            assert report["leaked_pinned"] == 0
            assert report["leaked_handles"] == []
            assert report["all_zero_inputs"] == 0


@dataclass
class OnDevice:
    """The stand-ins, imported into this process, with a fresh device."""

    trt: ModuleType
    cuda: ModuleType
    gpu: Any
    misuse: type[Exception]
    simulation: Simulation


@pytest.fixture(params=VERSIONS, ids=lambda version: f"tensorrt{version}")
def simulation(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulation]:
    """A simulated machine for measuring processes; whether they used it rightly is checked at the end."""
    folder = tmp_path / "simulation"
    (folder / "reports").mkdir(parents=True)
    found = Simulation(request.param, folder)
    found.scenario()
    for name in ("", "shared", "nvml", "cuda_bindings", f"tensorrt{request.param}"):
        monkeypatch.syspath_prepend(str(STANDINS / name))
    monkeypatch.setenv("HYCTAS_STANDIN_SCENARIO", str(folder / "scenario.json"))
    monkeypatch.setenv("HYCTAS_STANDIN_REPORT", str(folder / "reports"))
    monkeypatch.setenv("HYCTAS_GPU_DEVICE", "rtx-4090")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield found
    found.check()


@pytest.fixture
def on_device(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnDevice]:
    """The stand-ins in this process; the scenario that counts is that of the first use of the device."""
    monkeypatch.delenv("HYCTAS_STANDIN_REPORT")
    with standins_imported():
        simulated = import_module("simulated_gpu")
        modules = import_module("tensorrt"), import_module("cuda.bindings.runtime")
        yield OnDevice(*modules, simulated.gpu, simulated.Misuse, simulation)


@pytest.fixture(scope="session")
def small() -> Graph:
    """Two convolutions and an attention."""
    return small_graph()


@pytest.fixture
def driver(on_device: OnDevice) -> Driver:
    """A right program, on the stand-ins in this process."""
    return Driver(on_device.trt, on_device.cuda, on_device)


@pytest.fixture
def running(driver: Driver, small: Graph) -> Running:
    """An engine that has run once."""
    return Running.of(driver, small)


@pytest.fixture
def layer_count(simulation: Simulation) -> Callable[[bytes], int]:
    """How many layers the stand-in makes of an ONNX model."""

    def count(model: bytes) -> int:
        with standins_imported():
            import_module("tensorrt")
            fusion, read = (import_module(f"standin_tensorrt.{name}") for name in ("fusion", "model"))
            return len(fusion.Fusion(read.Model(model)).layers())

    return count


@contextmanager
def standins_imported() -> Iterator[None]:
    """Imports what is on the path now, and puts back what was imported before."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_replaced(name)}
    _forget_library()
    try:
        yield
    finally:
        _forget_library()
        gc.collect()
        for name in [name for name in sys.modules if _is_replaced(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_replaced(name: str) -> bool:
    return any(name == replaced or name.startswith(f"{replaced}.") for replaced in _REPLACED)


def _forget_library() -> None:
    """Our code keeps the TensorRT that it opened."""
    library = sys.modules.get("profiler.runtimes.tensorrt.library")
    if library is not None:
        library.open_library.cache_clear()
