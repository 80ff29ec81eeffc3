"""What is learned from: one latency a workload, and pairs that tell the noise between processes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, cast

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.measurement_reading import best_status, row_value, rows_query
from db.records import ArchitectureRecord, MeasurementRow, WorkloadKind, WorkloadRecord
from db.tables import ArchitectureRow, MeasurementTable, TargetRow, WorkloadRow
from db.workloads import architecture_record, workload_record
from hyctas.measurement import Metric, Protocol, Status
from hyctas.target import Target

Pair = tuple[MeasurementRow, MeasurementRow]
_OLDEST_FIRST: Final = (MeasurementTable.created_at, WorkloadRow.key, MeasurementTable.id)
"""An order that is the same in every database: merged measurements are older than their numbers say."""


@dataclass(frozen=True, slots=True)
class LatencyQuery:
    """Which latencies are wanted.

    Attributes:
        target: On this target.
        run_ids: Of these runs, repeats among them; None takes the primary ones of all runs.
        until: Stored at or before this time.
        status: With this status; None takes any.
        protocol_version: Taken under this protocol; latencies of others do not compare.
        metric: Of this metric; None takes that of the target: latencies of two metrics are never learned together.
    """

    target: Target
    run_ids: Collection[int] | None = None
    until: datetime | None = None
    status: Status | None = "ok"
    protocol_version: int = Protocol().version
    metric: Metric | None = None


def statuses(session: Session, target: Target, protocol_version: int, metric: Metric | None) -> Mapping[str, Status]:
    """By workload key, how its primary measurements on `target` ended."""
    wanted = LatencyQuery(target, status=None, protocol_version=protocol_version, metric=metric)
    query = select(WorkloadRow.key, MeasurementTable.status).select_from(MeasurementTable).join(WorkloadRow)
    rows = session.execute(query.join(TargetRow).where(*_conditions(wanted)).order_by(MeasurementTable.id))
    return best_status([(key, cast(Status, status)) for key, status in rows])


def of_networks(session: Session, wanted: LatencyQuery) -> tuple[tuple[ArchitectureRecord, MeasurementRow], ...]:
    """The last wanted measurement of each network, with its architecture (the first by key); oldest first."""
    first = select(func.min(ArchitectureRow.key)).group_by(ArchitectureRow.workload_id)
    query = rows_query(ArchitectureRow).join(ArchitectureRow, ArchitectureRow.workload_id == WorkloadRow.id)
    query = query.where(ArchitectureRow.key.in_(first), *_last_of_each(wanted, "network"))
    rows = session.execute(query.order_by(*_OLDEST_FIRST))
    measured = [(row[0], row_value(row)) for row in rows]
    return tuple((architecture_record(stored, value.workload_key), value) for stored, value in measured)


def of_architectures(
    session: Session, wanted: LatencyQuery, keys: Collection[str] | None
) -> Mapping[str, MeasurementRow]:
    """The last wanted measurement of each of these architectures (None takes all), by architecture key."""
    query = rows_query(ArchitectureRow.key.label("asked"))
    query = query.join(ArchitectureRow, ArchitectureRow.workload_id == WorkloadRow.id)
    query = query.where(*_last_of_each(wanted, "network")).order_by(MeasurementTable.id, ArchitectureRow.id)
    chosen = None if keys is None else frozenset(keys)
    found = ((row.asked, row) for row in session.execute(query))
    return {key: row_value(row) for key, row in found if chosen is None or key in chosen}


def of_operators(session: Session, wanted: LatencyQuery) -> tuple[tuple[WorkloadRecord, MeasurementRow], ...]:
    """The last wanted measurement of each operator workload; oldest first."""
    query = rows_query(WorkloadRow).where(*_last_of_each(wanted, "operator")).order_by(*_OLDEST_FIRST)
    return tuple((workload_record(row[0]), row_value(row)) for row in session.execute(query))


def pairs(session: Session, target: Target, kind: WorkloadKind | None, protocol_version: int) -> tuple[Pair, ...]:
    """Pairs of ``ok`` rows that differ in nothing but the process that measured.

    Of each workload the first row of every process counts; they are paired in their order, no row twice, so
    the pairs are independent.
    """
    alike = (MeasurementTable.workload_id, MeasurementTable.calibration_id, MeasurementTable.metric)
    wanted = LatencyQuery(target, status="ok", protocol_version=protocol_version)
    query = rows_query(*(column.label(f"alike_{place}") for place, column in enumerate(alike)))
    query = query.where(*_of_any_purpose(wanted)).order_by(*alike, *_OLDEST_FIRST)
    if kind is not None:
        query = query.where(WorkloadRow.kind == kind)
    found: list[Pair] = []
    for _, rows in groupby(session.execute(query), key=lambda row: tuple(row[: len(alike)])):
        found.extend(_paired([row_value(row) for row in rows]))
    return tuple(found)


def _paired(rows: Sequence[MeasurementRow]) -> Iterator[Pair]:
    by_process: dict[str, MeasurementRow] = {}
    for row in rows:
        by_process.setdefault(row.process_id, row)
    firsts = list(by_process.values())
    yield from zip(firsts[0::2], firsts[1::2], strict=False)


def _last_of_each(wanted: LatencyQuery, kind: WorkloadKind) -> Iterator[ColumnElement[bool]]:
    """Conditions that leave one row a workload: the last that passes."""
    numbers = select(func.max(MeasurementTable.id)).join(WorkloadRow).join(TargetRow)
    numbers = numbers.where(WorkloadRow.kind == kind, *_conditions(wanted)).group_by(MeasurementTable.workload_id)
    yield MeasurementTable.id.in_(numbers)


def _conditions(wanted: LatencyQuery) -> Iterator[ColumnElement[bool]]:
    yield from _of_any_purpose(wanted)
    if wanted.run_ids is None:
        yield MeasurementTable.purpose == "primary"


def _of_any_purpose(wanted: LatencyQuery) -> Iterator[ColumnElement[bool]]:
    yield TargetRow.name == wanted.target.name
    yield MeasurementTable.protocol_version == wanted.protocol_version
    yield MeasurementTable.metric == (wanted.metric or wanted.target.metric)
    if wanted.status is not None:
        yield MeasurementTable.status == wanted.status
    if wanted.run_ids is not None:
        yield MeasurementTable.run_id.in_(wanted.run_ids)
    if wanted.until is not None:
        yield MeasurementTable.created_at <= wanted.until
