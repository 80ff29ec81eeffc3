"""What the simulated machine is, how fast it is, and what goes wrong on it: one JSON file, named by the environment."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCENARIO_VARIABLE = "HYCTAS_STANDIN_SCENARIO"
REPORT_VARIABLE = "HYCTAS_STANDIN_REPORT"


@dataclass(frozen=True)
class Device:
    """The hardware and its driver."""

    count: int = 1
    name: str = "NVIDIA GeForce RTX 4090"
    compute_capability: tuple[int, int] = (8, 9)
    memory_bytes: int = 8 << 30
    l2_bytes: int = 4 << 20
    multi_processors: int = 128
    driver_version: int = 13000
    runtime_version: int = 13000


@dataclass(frozen=True)
class Times:
    """How long things take on the simulated clock, in seconds or per second."""

    layer_overhead_s: float = 2e-6
    multiply_accumulates_per_s: float = 2e13
    bytes_per_s: float = 1e12
    copy_bytes_per_s: float = 2e10
    kernel_launch_s: float = 4e-6
    graph_launch_s: float = 6e-6
    graph_upload_s: float = 50e-6
    profiling_overhead_s: float = 5e-6
    cold_factor: float = 1.25
    event_resolution_s: float = 0.5e-6


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong in a call.

    Attributes:
        call: Name of the function or method, such as ``cudaMalloc`` or ``build_serialized_network``; ``capture`` is
            ``execute_async_v3`` in a stream that captures.
        at: Which call of it, from 1; every one if None.
        error: Name of the CUDA error that it returns.
        act: ``fail`` (returns None or False after logging `message`), ``hang``, ``abort``, ``segfault`` or ``killed``.
        message: What is logged.
        graph: Only for models whose graph name matches this pattern.
        operator: For ``parse``: the operator that is not supported.
    """

    call: str
    at: int | None = None
    error: str | None = None
    act: str = "fail"
    message: str = "Error Code 10: Internal Error (injected)"
    graph: str | None = None
    operator: str | None = None


@dataclass
class Scenario:
    """The whole of it.

    Attributes:
        device: What the machine has.
        times: How fast it is.
        faults: What goes wrong.
        tactics: Factors of the tactics that successive timings of a layer find fastest.
        capturable: Whether any engine can be captured into a graph.
        waits: Whether waiting for the device takes real time, too; host times then contain those of the device.
    """

    device: Device = field(default_factory=Device)
    times: Times = field(default_factory=Times)
    faults: tuple[Fault, ...] = ()
    tactics: tuple[float, ...] = (1.0,)
    capturable: bool = True
    waits: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_environment(cls) -> Scenario:
        """The scenario that the environment names, or one where nothing goes wrong."""
        path = os.environ.get(SCENARIO_VARIABLE)
        return cls.from_json(json.loads(Path(path).read_text())) if path else cls()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Scenario:
        """Read a document; an unknown key is an error."""
        document = dict(document)
        device = dict(document.pop("device", {}))
        if "compute_capability" in device:
            device["compute_capability"] = tuple(device["compute_capability"])
        return cls(
            Device(**device),
            Times(**document.pop("times", {})),
            tuple(Fault(**fault) for fault in document.pop("faults", ())),
            tuple(document.pop("tactics", (1.0,))),
            **document,
        )

    def entered(self, call: str, graph: str | None = None) -> Fault | None:
        """Count a call; hang or die if that is what happens in it; return the fault if there is another."""
        self.counts[call] += 1
        for fault in self.faults:
            if fault.call != call or fault.operator or fault.at not in (None, self.counts[call]):
                continue
            if fault.graph is None or (graph is not None and re.search(fault.graph, graph)):
                _perform(fault.act)
                return fault
        return None

    def unsupported(self, graph: str) -> frozenset[str]:
        """Operators that the parser does not know."""
        faults = (fault for fault in self.faults if fault.call == "parse" and fault.operator)
        return frozenset(f.operator or "" for f in faults if f.graph is None or re.search(f.graph, graph))


def _perform(act: str) -> None:
    if act == "hang":
        time.sleep(3600)
    elif act == "abort":
        os.abort()
    elif act == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif act == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act != "fail":
        raise ValueError(f"unknown act {act!r} of a fault")
