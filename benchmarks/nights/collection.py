"""Real processes that measure canaries, kept as lines of JSON: one a process, appended as soon as it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from hyctas.architecture import ArchitectureDefaults
from hyctas.measurement import NORMALISERS, Measurement
from hyctas.target import Target
from profiler.nightly.canaries import canary_name, choose_canaries
from profiler.nightly.witness import witness
from profiler.plan import PlannedWorkload

SETTINGS: Final = ArchitectureDefaults(height=128, width=256, base_channels=8)
OPERATORS: Final = 14
NETWORKS: Final = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What one process saw of one canary.

    Attributes:
        wall_s: Median wall time.
        ratios: Median over rounds of wall time over reference time, by normaliser.
    """

    wall_s: float
    ratios: dict[str, float]


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        begun_s: When it began, in seconds after the first.
        took_s: How long it took.
        seen: By name of the canary.
    """

    begun_s: float
    took_s: float
    seen: dict[str, Seen]


def canaries() -> tuple[PlannedWorkload, ...]:
    """What the processes measure."""
    return choose_canaries(SETTINGS, operators=OPERATORS, networks=NETWORKS)


def collect(target: Target, processes: int, file: Path) -> Iterator[Process]:
    """Measure the canaries in so many processes, one after the other; yields each after it was written to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    planned, start_s = canaries(), time.monotonic()
    for number in range(processes):
        begun_s = time.monotonic()
        found = {
            canary_name(item): _seen(m) for item, m in witness(target, planned, "compute", seed=number) if m.rounds
        }
        process = Process(begun_s - start_s, time.monotonic() - begun_s, found)
        with file.open("a") as stream:
            stream.write(json.dumps(asdict(process)) + "\n")
        yield process


def read(file: Path) -> Sequence[Process]:
    """The processes of a file, in their order."""
    documents = (json.loads(line) for line in file.read_text().splitlines())
    return [
        Process(d["begun_s"], d["took_s"], {name: Seen(**seen) for name, seen in d["seen"].items()}) for d in documents
    ]


def _seen(measurement: Measurement) -> Seen:
    ratios: dict[str, float] = {normaliser: median(measurement.ratios(normaliser)) for normaliser in NORMALISERS}
    return Seen(measurement.wall_s or 0.0, ratios)
