"""Queries that exporting and merging share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, collate, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.tables import Environment, MeasurementTable, TargetRow, WorkloadRow
from db.transfer import lines

_ELSEWHERE = {"workload": WorkloadRow.key, "target": TargetRow.name, "environment": Environment.digest}
_NUMBERED = ("run", "calibration")


def stored_measurements() -> Select[Any]:
    """Measurements with the fields of their record, but the numbers of run and calibration in place of those."""
    table = MeasurementTable
    names = [name for name in lines.Measurement.__struct_fields__ if name not in _NUMBERED]
    columns = [_ELSEWHERE.get(name, getattr(table, name, None)).label(name) for name in names]  # type: ignore[union-attr]
    return (
        select(*columns, table.id, table.run_id, table.calibration_id)
        .select_from(table)
        .join(WorkloadRow, WorkloadRow.id == table.workload_id)
        .join(TargetRow, TargetRow.id == table.target_id)
        .join(Environment, Environment.id == table.environment_id)
    )


def exactly(session: Session, column: InstrumentedAttribute[str]) -> Any:
    """Text to order by its characters, so that both kinds of database order it alike."""
    return collate(column, "BINARY" if session.get_bind().dialect.name == "sqlite" else "C")
