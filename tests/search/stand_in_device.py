"""Stands in for hardware: networks take what a law says; everything else, down to the rows of measurements, is real."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.records import CHOSEN, ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.client import Client
from hyctas.measurement import Measurement, Protocol, Round
from hyctas.target import Target, parse_target
from search.measuring import Devices
from tests.search.world import Served, add_models, law_s

SLOWER = 1.2
"""How much slower networks are than the first models learned."""


def measured_law_s(target: Target, architecture: Architecture) -> float:
    """What the device measures."""
    return SLOWER * law_s(target, architecture)


@dataclass
class StandInDevice:
    """Measures by the law, and refits for real.

    Attributes:
        server: Its database takes measurements and models, and it must offer the models.
        folder: Folder for models.
        broken: Networks for which this holds give no latency.
        before_refit: Called before each refit.
        asked: What was to be measured, in order.
        refitted: Models of each refit, in order.
    """

    server: Served
    folder: Path
    broken: Callable[[Architecture], bool] = lambda architecture: False
    before_refit: Callable[[], None] = lambda: None
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    refitted: list[str] = field(default_factory=list)

    @property
    def devices(self) -> Devices:
        return Devices(self.measure, self.refit)

    def measure(self, target: str, networks: Sequence[Architecture]) -> Mapping[str, float]:
        """Measure, and store as a measuring run does."""
        self.asked.append((target, tuple(network.key for network in networks)))
        on = parse_target(target)
        working = [network for network in networks if not self.broken(network)]
        with Repository.open(self.server.database) as repository:
            run = repository.start_run(CHOSEN, on, {})
            repository.add_workloads(_workload(network) for network in working)
            repository.add_architectures(
                ArchitectureRecord(network.key, _workload_key(network), to_json(network)) for network in working
            )
            known = repository.architecture_latencies(on, [network.key for network in working])
            for network in working:
                if network.key not in known:
                    repository.add_measurement(run, _measurement(on, network), calibration=None)
            repository.finish_run(run, {})
        return {network.key: measured_law_s(on, network) for network in working}

    def refit(self, target: str) -> None:
        """Learn what the device measures on networks drawn at random; returns when the server offers it."""
        self.before_refit()
        on = parse_target(target)
        seed = 100 + len(self.refitted)
        self.refitted += add_models(self.folder, self.server.database, (on,), seed=seed, law_s=measured_law_s)
        with Client(self.server.url) as client:
            while not any(model.model_id == self.refitted[-1] and model.newest for model in client.models(target)):
                time.sleep(0.01)


def _workload_key(network: Architecture) -> str:
    return f"w-{network.key}"


def _workload(network: Architecture) -> WorkloadRecord:
    """The workload of a network; its costs do not matter here."""
    names = ("macs", "conv_macs", "parameters", "bytes_moved", "peak_activation_bytes")
    costs: dict[str, Any] = dict.fromkeys(names, 1)
    size: dict[str, Any] = {"height": 32, "width": 64, "c_in": 3, "c_out": 8, "stride": None}
    return WorkloadRecord(_workload_key(network), "network", "network", {}, **size, **costs)


def _measurement(target: Target, network: Architecture) -> Measurement:
    """Five equal rounds."""
    rounds = (Round((measured_law_s(target, network),), (0.006,), (0.002,), 0.99),) * 5
    return Measurement(_workload_key(network), target, rounds, 1e-5, Protocol(), {}, process_id="stand-in")
