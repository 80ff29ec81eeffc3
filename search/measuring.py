"""Measuring for a search: what a device at hand does, and where its latencies are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from db.repository import Repository
from hyctas.architecture import Architecture
from search.stopwatch import Stopwatch

Measure = Callable[[str, Sequence[Architecture]], Mapping[str, float]]
"""Measures networks on a target (its full name); seconds by architecture key, without those that gave no latency."""

Refit = Callable[[str], None]
"""Learns a target again from its measurements, and returns when the server answers with the new model."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What a device at hand can do for a search.

    Attributes:
        measure: Measures networks.
        refit: Lets the predictor learn from them.
    """

    measure: Measure
    refit: Refit


@dataclass(frozen=True, slots=True)
class Measuring:
    """Measures candidates of a search, and keeps their latencies with them.

    Attributes:
        devices: What measures.
        repository: The database.
        search_run_id: The search's number in it.
        stopwatch: Told where time goes.
    """

    devices: Devices
    repository: Repository
    search_run_id: int
    stopwatch: Stopwatch

    def measured_s(self, target: str, networks: Sequence[Architecture]) -> dict[str, float]:
        """Measured latency of networks by architecture key, without those that gave none."""
        if not networks:
            return {}
        with self.stopwatch.on("measurement"):
            found = dict(self.devices.measure(target, networks))
        with self.stopwatch.on("storage"):
            for key, latency_s in found.items():
                self.repository.set_measured(self.search_run_id, key, target, latency_s)
        return found

    def refit(self, target: str) -> None:
        """Let the predictor learn from what was measured on a target."""
        with self.stopwatch.on("measurement"):
            self.devices.refit(target)
