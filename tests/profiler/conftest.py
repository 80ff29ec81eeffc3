"""What the tests of the profiler share: a staged runtime, plans of tiny workloads, and a store in memory."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from hyctas.builder import GraphBuilder
from hyctas.graph import Graph
from hyctas.layers import relu
from hyctas.measurement import Calibration, Protocol, Round, Status
from hyctas.parts import Part
from hyctas.target import Target, parse_target
from hyctas.workload import Workload
from profiler.blocks import BlockSettings
from profiler.plan import PlannedWorkload
from profiler.session import Session, SessionSettings
from profiler.store import Result

STAGED: Mapping[str, str] = {
    "onnxruntime": "staged_runtime:StagedRuntime",
    "torch": "staged_runtime:RefusingRuntime",
    "openvino": "no_such_module:Runtime",
    "tensorrt-rtx": "staged_runtime:StagedGpu",
}
"""Staged runtimes stand under names that targets may have."""
NVML_STANDIN = Path(__file__).parents[1] / "standins" / "pynvml_standin.py"
QUICK = Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=10.0, min_cpu_share=0.0)
"""Three rounds, and every result counts as settled: tests must not depend on how calm the machine is."""


def a_graph(name: str, size: int = 4) -> Graph:
    """A ReLU on `size` numbers; the size tells workloads apart, the name what a staged engine does."""
    b = GraphBuilder(name)
    return b.build(relu(b, b.input("x", (1, 1, 1, size))))


def a_workload(name: str, size: int = 4, *, chain: str | None = None) -> PlannedWorkload:
    """A planned ReLU, with a chain of that name if one is given."""
    part = Part("conv", 1, size, (1,), 1)
    return PlannedWorkload(Workload(a_graph(name, size)), part, (chain and a_graph(chain, size + 1000)) or None)


def a_round(sample_s: float = 0.003, compute_s: float = 0.002, memory_s: float = 0.004, cpu: float = 1.0) -> Round:
    """A round of three equal samples."""
    return Round((sample_s,) * 3, (compute_s,) * 2, (memory_s,) * 2, cpu)


@dataclass
class MemoryStore:
    """Keeps results in a list; fails if the same stable result comes twice."""

    calibration: Calibration
    results: list[Result] = field(default_factory=list)

    def statuses(self) -> Mapping[str, Status]:
        """Status of the primary results; ``ok`` wins over later ones."""
        found: dict[str, Status] = {}
        for result in self.results:
            if not result.repeat and found.get(result.planned.key) != "ok":
                found[result.planned.key] = result.measurement.status(self.calibration.normaliser)
        return found

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        """The first two stable latencies of each workload that come from different processes."""
        found: dict[str, tuple[float, float]] = {}
        for first, second in combinations(self.results, 2):
            a, b = (result.measurement for result in (first, second))
            if a.workload_key == b.workload_key and a.process_id != b.process_id:
                latencies = (a.latency_s(self.calibration), b.latency_s(self.calibration))
                if latencies[0] is not None and latencies[1] is not None:
                    found.setdefault(a.workload_key, (latencies[0], latencies[1]))
        return found

    def save(self, result: Result) -> None:
        """Keep a result."""
        again = self.statuses().get(result.planned.key) == "ok" and not result.repeat
        assert not again, f"{result.planned.workload.graph.name} was measured twice"
        self.results.append(result)


@dataclass
class CountingProgress:
    """Counts what it is told; `on_advance` may raise, as Ctrl-C does."""

    phases: list[tuple[str, int]] = field(default_factory=list)
    advanced: int = 0
    on_advance: Callable[[int], None] = lambda advanced: None

    def begin(self, phase: str, total: int) -> None:
        """Note a phase."""
        self.phases.append((phase, total))

    def advance(self, count: int) -> None:
        """Note progress."""
        self.advanced += count
        self.on_advance(self.advanced)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in for ``pynvml`` in its place, with one GPU."""
    spec = importlib.util.spec_from_file_location("pynvml", NVML_STANDIN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    spec.loader.exec_module(module)
    module.reset(module.Gpu())
    return module


@pytest.fixture
def graph() -> Callable[..., Graph]:
    """See :func:`a_graph`."""
    return a_graph


@pytest.fixture
def workload() -> Callable[..., PlannedWorkload]:
    """See :func:`a_workload`."""
    return a_workload


@pytest.fixture
def round_of() -> Callable[..., Round]:
    """See :func:`a_round`."""
    return a_round


@pytest.fixture
def quick() -> Protocol:
    """See :data:`QUICK`."""
    return QUICK


@pytest.fixture
def target() -> Target:
    """A one-thread CPU target."""
    return parse_target("bench/onnxruntime-fp32-t1")


@pytest.fixture
def gpu_target() -> Target:
    """A GPU target with a staged runtime."""
    return parse_target("bench/tensorrt-rtx-fp16")


@pytest.fixture
def calibration(target: Target) -> Calibration:
    """A calibration that normalises by the compute-bound reference."""
    errors = {"none": 0.2, "compute": 0.01, "memory": 0.05, "mean": 0.03}
    return Calibration(target, 1, 0.002, 0.004, "compute", errors, "reference-1", 5)  # type: ignore[arg-type]


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Staged runtimes, importable by measuring processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "staged"))
    return STAGED


@pytest.fixture
def blocks(staged: Mapping[str, str]) -> BlockSettings:
    """Blocks on the staged runtime; silence of 3 s is a hang."""
    return BlockSettings(size=4, per_process=2, turn_limit_s=3.0, build_limit_s=4.0, runtimes=staged)


@pytest.fixture
def session(target: Target, staged: Mapping[str, str]) -> Iterator[Session]:
    """A process with the staged runtime."""
    with Session(SessionSettings(target, QUICK, "none", 0, staged, turn_limit_s=3.0, build_limit_s=4.0)) as opened:
        yield opened


@pytest.fixture
def store(calibration: Calibration) -> MemoryStore:
    """An empty store."""
    return MemoryStore(calibration)


@pytest.fixture
def progress() -> CountingProgress:
    """A progress that counts."""
    return CountingProgress()
