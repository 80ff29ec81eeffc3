"""Measurements as rows (:class:`MeasurementRow`) and whole (with their rounds)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session, aliased

from db.records import MeasurementFilter, MeasurementRow, Order
from db.rounds_json import rounds_from_json
from db.tables import ArchitectureRow, CalibrationRow, Environment, MeasurementTable, TargetRow, WorkloadRow
from hyctas.errors import StorageError
from hyctas.measurement import Failure, FailureKind, Measurement, Metric, Protocol, Reported, Status
from hyctas.target import parse_target

_ROW_FIELDS: Final = tuple(field.name for field in fields(MeasurementRow))
_PROTOCOL_FIELDS: Final = frozenset(field.name for field in fields(Protocol))
_parsed: Final = lru_cache(maxsize=256)(parse_target)

_Stored: Final = aliased(ArchitectureRow)
_FIRST_ARCHITECTURE: Final = (
    select(_Stored.key)
    .where(_Stored.workload_id == MeasurementTable.workload_id)
    .order_by(_Stored.id)
    .limit(1)
    .correlate(MeasurementTable)
    .scalar_subquery()
)
_ELSEWHERE: Final[Mapping[str, Any]] = {
    "workload_key": WorkloadRow.key,
    "target": TargetRow.name,
    "calibration_version": CalibrationRow.version,
    "environment": Environment.facts,
    "architecture_key": _FIRST_ARCHITECTURE,
    "label": MeasurementTable.reported["label"].as_string(),
    **{name: getattr(WorkloadRow, name) for name in ("operator", "kind", "height", "width", "c_in", "c_out", "stride")},
}
"""Fields of :class:`MeasurementRow` that other tables hold."""


def rows_query(*entities: Any) -> Select[Any]:
    """A query for the fields of :class:`MeasurementRow`, `entities` before them."""
    columns = [_ELSEWHERE.get(name, getattr(MeasurementTable, name, None)).label(name) for name in _ROW_FIELDS]
    return (
        select(*entities, *columns)
        .select_from(MeasurementTable)
        .join(WorkloadRow, WorkloadRow.id == MeasurementTable.workload_id)
        .join(TargetRow, TargetRow.id == MeasurementTable.target_id)
        .join(Environment, Environment.id == MeasurementTable.environment_id)
        .outerjoin(CalibrationRow, CalibrationRow.id == MeasurementTable.calibration_id)
    )


def row_value(row: Row[Any]) -> MeasurementRow:
    """The value of a row of :func:`rows_query`."""
    values = {name: row._mapping[name] for name in _ROW_FIELDS}
    return MeasurementRow(**{**values, "target": _parsed(values["target"])})


def find(
    session: Session, wanted: MeasurementFilter, *, limit: int | None, after_id: int, order: Order
) -> tuple[MeasurementRow, ...]:
    """A page of measurements: those after `after_id` in the given order, at most `limit`."""
    number = MeasurementTable.id
    newest_first = order == "newest"
    query = rows_query().where(*conditions(wanted)).order_by(number.desc() if newest_first else number)
    if after_id:
        query = query.where(number < after_id if newest_first else number > after_id)
    return tuple(row_value(row) for row in session.execute(query.limit(limit)))


def count(session: Session, wanted: MeasurementFilter) -> int:
    """How many measurements pass the filter."""
    query = select(func.count()).select_from(MeasurementTable).join(WorkloadRow).join(TargetRow)
    return session.scalars(query.where(*conditions(wanted))).one()


def whole(session: Session, measurement_id: int) -> Measurement:
    """A measurement with its rounds, equal to the one that was stored.

    Raises:
        StorageError: There is no such measurement, or its rounds were dropped.
    """
    query = select(MeasurementTable, WorkloadRow.key, TargetRow.name, Environment.facts)
    query = query.join(WorkloadRow).join(TargetRow).join(Environment)
    found = session.execute(query.where(MeasurementTable.id == measurement_id)).one_or_none()
    if found is None:
        raise StorageError(f"measurement {measurement_id} does not exist")
    row, workload_key, target, facts = found
    if row.rounds_dropped_at is not None:
        raise StorageError(
            f"the rounds of measurement {measurement_id} were dropped on {row.rounds_dropped_at:%Y-%m-%d}, as "
            "retention asked for; its latency stays in the list of measurements"
        )
    return Measurement(
        workload_key=workload_key,
        target=parse_target(target),
        rounds=rounds_from_json(row.rounds),
        call_floor_s=row.call_floor_s,
        protocol=Protocol(**{name: value for name, value in row.protocol.items() if name in _PROTOCOL_FIELDS}),
        environment=facts,
        metric=cast(Metric, row.metric),
        process_id=row.process_id,
        failure=_failure(row),
        reported=_reported(row),
        engine=row.engine or {},
    )


def best_status(rows: Sequence[tuple[str, Status]]) -> Mapping[str, Status]:
    """By workload key: ``ok`` if any row is, else the last row's status; `rows` are oldest first."""
    best: dict[str, Status] = {}
    for key, status in rows:
        if best.get(key) != "ok":
            best[key] = status
    return best


def conditions(wanted: MeasurementFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions of a filter, on measurement, workload and target."""
    equal: dict[Any, Any] = {
        TargetRow.name: None if wanted.target is None else wanted.target.name,
        WorkloadRow.kind: wanted.kind,
        WorkloadRow.operator: wanted.operator,
        WorkloadRow.height: wanted.height,
        WorkloadRow.width: wanted.width,
        WorkloadRow.c_in: wanted.c_in,
        WorkloadRow.c_out: wanted.c_out,
        WorkloadRow.stride: wanted.stride,
        WorkloadRow.key: wanted.workload_key,
        MeasurementTable.status: wanted.status,
        MeasurementTable.run_id: wanted.run_id,
        MeasurementTable.process_id: wanted.process_id,
        MeasurementTable.metric: wanted.metric,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    if wanted.since is not None:
        yield MeasurementTable.created_at >= wanted.since
    if wanted.until is not None:
        yield MeasurementTable.created_at <= wanted.until


def _failure(row: MeasurementTable) -> Failure | None:
    if row.failure_kind is None:
        return None
    return Failure(cast(FailureKind, row.failure_kind), row.failure_message or "")


def _reported(row: MeasurementTable) -> Reported | None:
    if row.reported is None:
        return None
    return Reported(**{**row.reported, "samples_s": tuple(row.reported["samples_s"])})
