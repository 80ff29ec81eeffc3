"""The only door to the database: values go in and come out, rows stay inside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from db import (
    latencies,
    measurement_reading,
    measurement_writing,
    predictor_models,
    retention,
    runs,
    searches,
    targets,
    workloads,
)
from db.database import Database
from db.engine import DEFAULT_URL
from db.importing import storing
from db.importing.source import ImportedLatency, ImportOutcome, ImportSource
from db.job_repository import JobRepository
from db.latencies import LatencyQuery, Pair
from db.records import (
    ArchitectureRecord,
    MeasurementFilter,
    MeasurementRow,
    ModelRecord,
    Order,
    Purpose,
    RunRecord,
    RunStatus,
    WorkloadKind,
    WorkloadRecord,
)
from db.search_repository import SearchRepository
from db.transfer import exporting, merging
from db.transfer.document import read_document, write_document
from db.transfer.values import ExportFilter, MergeOutcome
from hyctas.measurement import Calibration, Measurement, Metric, Protocol, Status
from hyctas.target import Target, parse_target


def utc_now() -> datetime:
    """The time now, aware."""
    return datetime.now(UTC)


class Repository(SearchRepository, JobRepository):
    """Everything that is stored, behind plain methods; safe to share between threads.

    Each method is one transaction: what it stored is committed when it returns. Opening upgrades an older
    database; one that is up to date is not written to. Also a context manager, which closes it.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        create: Whether a missing SQLite file is made.
        clock: Tells the time that rows carry.

    Raises:
        InvalidInput: The URL is not of these forms.
        SchemaMismatch: A newer version wrote the database.
        StorageError: It cannot be opened. Every method raises it where the database cannot be read or written.
    """

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = True, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(Database(url, create=create), clock)

    @classmethod
    def open(cls, url: str = DEFAULT_URL, *, create: bool = True) -> Self:
        """Open a database; see the class."""
        return cls(url, create=create)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the open repository."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    # Targets and calibrations

    def ensure_target(self, target: Target, device: Mapping[str, str]) -> None:
        """Store a target and its device; `device` holds facts such as the CPU's model, and replaces older ones."""
        with self._database.writing() as session:
            targets.ensure(session, target, device)

    def targets(self) -> tuple[Target, ...]:
        """All stored targets, by name."""
        with self._database.reading() as session:
            return tuple(parse_target(name) for name in targets.names(session))

    def target_named(self, name: str) -> Target:
        """The stored target with that full name, or local name if one device only has it.

        Raises:
            UnknownTarget: There is none, or more than one.
        """
        with self._database.reading() as session:
            return targets.named(session, name)

    def add_calibration(self, calibration: Calibration) -> None:
        """Store a calibration.

        Raises:
            StorageError: Its version is taken; calibrations are never overwritten.
            UnknownTarget: Its target was not stored.
        """
        with self._database.writing() as session:
            targets.add_calibration(session, calibration, self._clock())

    def calibrations(self, target: Target) -> tuple[Calibration, ...]:
        """All calibrations of a target, oldest version first."""
        with self._database.reading() as session:
            return targets.calibrations(session, target)

    def latest_calibration(self, target: Target) -> Calibration | None:
        """The calibration that holds: the last that was made here, or else the last that was merged."""
        with self._database.reading() as session:
            return targets.latest_calibration(session, target)

    # Workloads and architectures

    def add_workloads(self, records: Iterable[WorkloadRecord]) -> None:
        """Store workloads; those that exist are left as they are."""
        with self._database.writing() as session:
            workloads.add(session, records)

    def workload(self, key: str) -> WorkloadRecord | None:
        """The workload with that key."""
        with self._database.reading() as session:
            return workloads.find(session, key)

    def add_architectures(self, records: Iterable[ArchitectureRecord]) -> None:
        """Store architectures; those that exist are left as they are, but get a workload if they had none.

        Raises:
            StorageError: The workload of one was not stored.
        """
        with self._database.writing() as session:
            workloads.add_architectures(session, records)

    def architecture(self, key: str) -> ArchitectureRecord | None:
        """The architecture with that key."""
        with self._database.reading() as session:
            return workloads.find_architecture(session, key)

    # Runs

    def start_run(self, kind: str, target: Target | None, arguments: Mapping[str, Any]) -> int:
        """Store that this process starts a run; returns its number.

        Raises:
            UnknownTarget: The target was not stored.
        """
        with self._database.writing() as session:
            return runs.start(session, kind, target, arguments=arguments, now=self._clock())

    def finish_run(self, run_id: int, summary: Mapping[str, Any], status: RunStatus = "finished") -> None:
        """Store how a run ended.

        Raises:
            StorageError: There is no such run.
        """
        with self._database.writing() as session:
            runs.finish(session, run_id, summary=summary, status=status, now=self._clock())

    def runs(self, target: Target | None = None) -> tuple[RunRecord, ...]:
        """Runs of a target, or all; oldest first."""
        with self._database.reading() as session:
            return runs.find(session, target)

    def mark_interrupted(self) -> tuple[RunRecord, ...]:
        """Mark running runs and searches of this host whose process is gone as interrupted; returns the runs."""
        with self._database.writing() as session:
            now = self._clock()
            searches.mark_interrupted(session, now)
            return runs.mark_interrupted(session, now)

    # Measurements

    def add_measurement(
        self,
        run_id: int,
        measurement: Measurement,
        *,
        calibration: Calibration | None,
        purpose: Purpose = "primary",
        marginal_s: float | None = None,
        supersede: bool = False,
    ) -> int:
        """Store a measurement with all its rounds, and what an operator adds inside a chain; returns its number.

        At most one ``ok`` measurement of a workload on a target, under one protocol version and metric, is
        primary: one that comes second is kept as a repeat, unless it is to `supersede` the first. Without a
        calibration the latency is the wall time.

        Raises:
            StorageError: Its run, workload or calibration was not stored.
            UnknownTarget: Its target was not stored.
        """
        with self._database.writing() as session:
            return measurement_writing.add(
                session,
                run_id,
                measurement,
                calibration=calibration,
                purpose=purpose,
                marginal_s=marginal_s,
                supersede=supersede,
                now=self._clock(),
            )

    def import_latencies(self, source: ImportSource, rows: Sequence[ImportedLatency]) -> ImportOutcome:
        """Store what others measured, all of it or nothing; what is stored already changes nothing."""
        with self._database.writing() as session:
            return storing.store(session, source, rows, self._clock())

    def set_marginal(self, measurement_id: int, marginal_s: float | None) -> None:
        """Store what an operator adds inside a chain (seconds).

        Raises:
            StorageError: There is no such measurement.
        """
        with self._database.writing() as session:
            measurement_writing.set_marginal(session, measurement_id, marginal_s)

    def measurement(self, measurement_id: int) -> Measurement:
        """A measurement with its rounds, equal to the one that was stored.

        Raises:
            StorageError: There is no such measurement, or its rounds were dropped.
        """
        with self._database.reading() as session:
            return measurement_reading.whole(session, measurement_id)

    def prune_rounds(self, kind: str, before: datetime) -> int:
        """Drop the raw rounds of repeats of that kind of run, older than `before`; latencies stay. Returns of how many.

        A measurement without its rounds is not exported any more.
        """
        with self._database.writing() as session:
            return retention.prune_rounds(session, kind, before=before, now=self._clock())

    def measurements(
        self,
        wanted: MeasurementFilter | None = None,
        *,
        limit: int | None = 100,
        after_id: int = 0,
        order: Order = "oldest",
    ) -> tuple[MeasurementRow, ...]:
        """A page of measurements; the next page starts after the last row's id.

        Args:
            wanted: Which ones; None takes all.
            limit: At most so many; None takes all.
            after_id: Where the page before ended; 0 for the first page.
            order: Oldest or newest first.
        """
        with self._database.reading() as session:
            return measurement_reading.find(
                session, wanted or MeasurementFilter(), limit=limit, after_id=after_id, order=order
            )

    def count(self, wanted: MeasurementFilter | None = None) -> int:
        """How many measurements pass the filter."""
        with self._database.reading() as session:
            return measurement_reading.count(session, wanted or MeasurementFilter())

    # Sharing

    def export_measurements(self, file: Path, wanted: ExportFilter | None = None) -> Mapping[str, int]:
        """Write measurements, and all that they refer to, as a document; tells how many records of each kind.

        Raises:
            StorageError: The file cannot be written; what was there before is still there.
        """
        with self._database.snapshot() as session:
            return write_document(file, exporting.records(session, wanted or ExportFilter()))

    def merge_measurements(self, file: Path) -> MergeOutcome:
        """Merge a document that :meth:`export_measurements` wrote, all of it or nothing.

        Raises:
            InvalidInput: It is not such a document, or was truncated or changed.
            StorageError: The file cannot be read.
        """
        records = read_document(file)
        with self._database.writing() as session:
            return merging.merge(session, records)

    # What is learned from

    def measured_status(
        self, target: Target, protocol_version: int, *, metric: Metric | None = None
    ) -> Mapping[str, Status]:
        """By workload key, how its primary measurements ended: ``ok`` if one did, else the last one's status."""
        with self._database.reading() as session:
            return latencies.statuses(session, target, protocol_version, metric)

    def network_latencies(
        self,
        target: Target,
        *,
        run_ids: Collection[int] | None = None,
        until: datetime | None = None,
        status: Status | None = "ok",
        metric: Metric | None = None,
    ) -> tuple[tuple[ArchitectureRecord, MeasurementRow], ...]:
        """One measurement a network (the last that passes), oldest first; see :class:`LatencyQuery`."""
        wanted = LatencyQuery(target, run_ids=run_ids, until=until, status=status, metric=metric)
        with self._database.reading() as session:
            return latencies.of_networks(session, wanted)

    def architecture_latencies(
        self,
        target: Target,
        keys: Collection[str] | None = None,
        *,
        until: datetime | None = None,
        status: Status | None = "ok",
        metric: Metric | None = None,
    ) -> Mapping[str, MeasurementRow]:
        """By architecture key, the same measurements: architectures that lower to equal graphs share one.

        Args:
            target: On this target.
            keys: Of these architectures; None takes all. Those that were not measured are left out.
            until: See :class:`LatencyQuery`.
            status: See there.
            metric: See there.
        """
        wanted = LatencyQuery(target, until=until, status=status, metric=metric)
        with self._database.reading() as session:
            return latencies.of_architectures(session, wanted, keys)

    def operator_latencies(
        self,
        target: Target,
        *,
        run_ids: Collection[int] | None = None,
        until: datetime | None = None,
        status: Status | None = "ok",
        metric: Metric | None = None,
    ) -> tuple[tuple[WorkloadRecord, MeasurementRow], ...]:
        """One measurement an operator workload (the last that passes), oldest first; see :class:`LatencyQuery`."""
        wanted = LatencyQuery(target, run_ids=run_ids, until=until, status=status, metric=metric)
        with self._database.reading() as session:
            return latencies.of_operators(session, wanted)

    def repeats(
        self, target: Target, *, kind: WorkloadKind | None = None, protocol_version: int = Protocol().version
    ) -> tuple[Pair, ...]:
        """Pairs of ``ok`` rows of equal workload and calibration from different processes: the noise floor."""
        with self._database.reading() as session:
            return latencies.pairs(session, target, kind, protocol_version)

    # Models

    def add_model(self, record: ModelRecord) -> None:
        """Register a model artifact.

        Raises:
            StorageError: Its id is taken.
            UnknownTarget: Its target was not stored.
        """
        with self._database.writing() as session:
            predictor_models.add(session, record)

    def models(self, target: Target | None = None) -> tuple[ModelRecord, ...]:
        """Models of a target, or all; oldest first."""
        with self._database.reading() as session:
            return predictor_models.find_all(session, target)

    def model(self, model_id: str) -> ModelRecord:
        """The model with that id.

        Raises:
            UnknownModel: There is none.
        """
        with self._database.reading() as session:
            return predictor_models.find(session, model_id)

    def latest_model(self, target: Target) -> ModelRecord | None:
        """The model of a target that was trained last."""
        with self._database.reading() as session:
            return predictor_models.latest(session, target)
