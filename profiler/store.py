"""Where a profile's results go and who is told of its progress: the seams that a composition root fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hyctas.measurement import Measurement, Status
from profiler.plan import PlannedWorkload


@dataclass(frozen=True, slots=True)
class Result:
    """A finished measurement on its way to the database.

    Attributes:
        planned: What was measured.
        measurement: The raw result.
        marginal_s: What the operator adds inside a chain, in seconds; None where it was not measured.
        repeat: Whether it is a second measurement of a stable workload, for the noise floor.
    """

    planned: PlannedWorkload
    measurement: Measurement
    marginal_s: float | None
    repeat: bool


class Store(Protocol):
    """Where results go; every save is final, and whole, before it returns."""

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload that is already measured on this target, by key."""

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        """Latencies (seconds) of each workload that was stable in two different processes, by key."""

    def save(self, result: Result) -> None:
        """Keep one result for good."""


class Progress(Protocol):
    """Who is told how far the work is."""

    def begin(self, phase: str, total: int) -> None:
        """A phase of so many workloads begins."""

    def advance(self, count: int) -> None:
        """So many more workloads are finished."""
