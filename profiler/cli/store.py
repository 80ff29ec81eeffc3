"""Where the commands keep results: the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from db.describing import architecture_record, network_record, operator_record
from db.records import ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.measurement import Calibration, Protocol, Status
from hyctas.parts import Part
from profiler.plan import PlannedWorkload
from profiler.store import Result


@dataclass(frozen=True, slots=True)
class RepositoryStore:
    """Keeps results in the database: each measurement is one transaction, after that of what it refers to."""

    repository: Repository
    run_id: int
    calibration: Calibration

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload that is already measured on this target."""
        return self.repository.measured_status(self.calibration.target, Protocol().version)

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        """Latencies of each workload that was stable in two processes under one calibration."""
        found = self.repository.repeats(self.calibration.target, protocol_version=Protocol().version)
        return {
            first.workload_key: (first.latency_s, second.latency_s)
            for first, second in found
            if first.latency_s is not None and second.latency_s is not None
        }

    def save(self, result: Result) -> None:
        """Store the workload, its architecture if it is a network, and the measurement."""
        self.keep(result)

    def keep(self, result: Result, *, supersede: bool = False) -> None:
        """The same; if it is to `supersede`, in place of the primary measurement that there is."""
        self.repository.add_workloads([workload_record(result.planned)])
        if isinstance(result.planned.source, Architecture):
            self.repository.add_architectures([_architecture_record(result.planned)])
        self.repository.add_measurement(
            self.run_id,
            result.measurement,
            calibration=self.calibration,
            purpose="repeat" if result.repeat else "primary",
            marginal_s=result.marginal_s,
            supersede=supersede,
        )

    def add_networks(self, networks: Sequence[PlannedWorkload]) -> None:
        """Store networks before they are measured, so that each is found by its architecture.

        A plan holds equal work once, and what is measured already is not saved again: neither would tell which
        architectures it stands for.
        """
        self.repository.add_workloads(map(workload_record, networks))
        self.repository.add_architectures(map(_architecture_record, networks))


@dataclass(frozen=True, slots=True)
class SupersedingStore(RepositoryStore):
    """A store that takes stale measurements for none, until they are measured again.

    Attributes:
        stale: Keys of workloads whose measurement is to be replaced.
    """

    stale: set[str] = field(default_factory=set)

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload whose measurement counts."""
        found = self.repository.measured_status(self.calibration.target, Protocol().version)
        return {key: status for key, status in found.items() if key not in self.stale}

    def save(self, result: Result) -> None:
        """Store a result in place of the stale one, if it is a good one."""
        key, status = result.planned.key, result.measurement.status(self.calibration.normaliser)
        self.keep(result, supersede=key in self.stale)
        if status != "unstable":
            self.stale.discard(key)


def workload_record(planned: PlannedWorkload) -> WorkloadRecord:
    """What the database keeps of a workload."""
    if isinstance(planned.source, Part):
        return operator_record(planned.source, planned.key, planned.costs)
    return network_record(planned.source, planned.key, planned.costs)


def _architecture_record(planned: PlannedWorkload) -> ArchitectureRecord:
    if isinstance(planned.source, Part):
        raise TypeError(f"{planned.source} is an operator, not a network")
    return architecture_record(planned.source, planned.key)
