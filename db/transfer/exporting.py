"""A database as the records of a document, in an order that depends on what they hold and not on their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db import tables
from db.transfer import lines
from db.transfer.identity import calibration_identity, measurement_identity, run_identity
from db.transfer.stored import exactly, stored_measurements
from db.transfer.values import ExportFilter

_BATCH: Final = 500


def records(session: Session, wanted: ExportFilter) -> Iterator[lines.Record]:
    """The wanted measurements and everything that they refer to; what is referred to comes first."""
    source = _Source(session, wanted)
    yield from source.devices_and_targets()
    yield from source.environments()
    yield from source.calibrations()
    yield from source.workloads()
    yield from source.architectures()
    yield from source.runs()
    yield from source.measurements()


@dataclass(frozen=True, slots=True)
class _Source:
    session: Session
    wanted: ExportFilter

    def devices_and_targets(self) -> Iterator[lines.Device | lines.Target]:
        device, target = tables.Device, tables.TargetRow
        of_devices = select(device.slug, device.facts).where(device.id.in_(self._targets(target.device_id)))
        for found in self._each(of_devices.order_by(exactly(self.session, device.slug))):
            yield lines.Device(**found._mapping)
        of_targets = select(target.name).where(target.id.in_(self._targets(target.id)))
        for found in self._each(of_targets.order_by(exactly(self.session, target.name))):
            yield lines.Target(**found._mapping)

    def environments(self) -> Iterator[lines.Environment]:
        row = tables.Environment
        query = select(row.digest, row.facts).where(row.id.in_(self._used(tables.MeasurementTable.environment_id)))
        for found in self._each(query.order_by(exactly(self.session, row.digest))):
            yield lines.Environment(**found._mapping)

    def calibrations(self) -> Iterator[lines.Calibration]:
        by_target_and_age = sorted(self._calibrations().values(), key=lambda c: (c.target, c.created_at, c.id))
        yield from by_target_and_age

    def workloads(self) -> Iterator[lines.Workload]:
        row = tables.WorkloadRow
        columns = [getattr(row, name) for name in lines.Workload.__struct_fields__]
        query = select(*columns).where(row.id.in_(self._used(tables.MeasurementTable.workload_id)))
        for found in self._each(query.order_by(exactly(self.session, row.key))):
            yield lines.Workload(**found._mapping)

    def architectures(self) -> Iterator[lines.Architecture]:
        row, workload = tables.ArchitectureRow, tables.WorkloadRow
        query = select(row.key, workload.key.label("workload"), row.document).join(
            workload, workload.id == row.workload_id
        )
        query = query.where(workload.id.in_(self._used(tables.MeasurementTable.workload_id)))
        for found in self._each(query.order_by(exactly(self.session, row.key))):
            yield lines.Architecture(**found._mapping)

    def runs(self) -> Iterator[lines.Run]:
        yield from sorted(self._runs().values(), key=lambda run: (run.started_at, run.id))

    def measurements(self) -> Iterator[lines.Measurement]:
        """Oldest first; equally old ones by workload and target, then by what they are."""
        runs = {number: run.id for number, run in self._runs().items()}
        calibrations = {number: calibration.id for number, calibration in self._calibrations().items()}
        table, workload, target = tables.MeasurementTable, tables.WorkloadRow, tables.TargetRow
        order = (table.created_at, exactly(self.session, workload.key), exactly(self.session, target.name))
        rows = self._each(stored_measurements().where(*self._conditions()).order_by(*order))
        for _, alike in groupby(rows, key=lambda row: (row.created_at, row.workload, row.target)):
            found = [_measurement(row, runs, calibrations) for row in alike]
            yield from sorted(found, key=lambda m: (measurement_identity(msgspec.structs.asdict(m)), m.purpose))

    def _calibrations(self) -> Mapping[int, lines.Calibration]:
        row, target = tables.CalibrationRow, tables.TargetRow
        query = select(row, target.name).join(target).where(target.id.in_(self._targets(target.id)))
        return {stored.id: self._calibration(stored, name) for stored, name in self.session.execute(query)}

    def _calibration(self, row: tables.CalibrationRow, target: str) -> lines.Calibration:
        names = set(lines.Calibration.__struct_fields__) - {"id", "target", "origin"}
        values = {"target": target, **{name: getattr(row, name) for name in names}}
        origin = lines.Origin(**row.origin) if row.origin else lines.Origin(self._uuid(), row.version)
        return lines.Calibration(id=calibration_identity(values), origin=origin, **values)

    def _runs(self) -> Mapping[int, lines.Run]:
        row, target = tables.Run, tables.TargetRow
        query = select(row, target.name).outerjoin(target, target.id == row.target_id)
        query = query.where(row.id.in_(self._used(tables.MeasurementTable.run_id)))
        return {stored.id: self._run(stored, name) for stored, name in self.session.execute(query)}

    def _run(self, row: tables.Run, target: str | None) -> lines.Run:
        names = set(lines.Run.__struct_fields__) - {"id", "target", "origin"}
        values = {"target": target, **{name: getattr(row, name) for name in names}}
        if row.status == "running":
            values["status"] = "interrupted"
        origin = lines.Origin(**row.origin) if row.origin else lines.Origin(self._uuid(), row.id)
        return lines.Run(id=run_identity(values), origin=origin, **values)

    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        yield tables.MeasurementTable.rounds_dropped_at.is_(None)
        if self.wanted.targets:
            names = [target.name for target in self.wanted.targets]
            numbers = select(tables.TargetRow.id).where(tables.TargetRow.name.in_(names))
            yield tables.MeasurementTable.target_id.in_(numbers)
        if self.wanted.since is not None:
            yield tables.MeasurementTable.created_at >= self.wanted.since

    def _used(self, column: InstrumentedAttribute[Any]) -> Select[Any]:
        """Numbers of the rows that wanted measurements refer to by `column`."""
        return select(column).where(*self._conditions())

    def _targets(self, column: InstrumentedAttribute[int]) -> Select[Any]:
        of_measurements = self._used(tables.MeasurementTable.target_id)
        of_runs = select(tables.Run.target_id).where(
            tables.Run.id.in_(self._used(tables.MeasurementTable.run_id)), tables.Run.target_id.is_not(None)
        )
        number = tables.TargetRow.id
        return select(column).where(number.in_(of_measurements) | number.in_(of_runs))

    def _uuid(self) -> str:
        return self.session.scalars(select(tables.DatabaseIdentity.uuid)).one()

    def _each(self, query: Select[Any]) -> Iterator[Row[Any]]:
        """Rows as they come, a batch in memory at a time."""
        yield from self.session.execute(query.execution_options(yield_per=_BATCH))


def _measurement(row: Row[Any], runs: Mapping[int, str], calibrations: Mapping[int, str]) -> lines.Measurement:
    values = dict(row._mapping)
    number = values.pop("calibration_id")
    values |= {"run": runs[values.pop("run_id")], "calibration": None if number is None else calibrations[number]}
    if values["reported"] is not None:
        values["reported"] = lines.Reported(**values["reported"])
    del values["id"]
    return lines.Measurement(**values)
