"""Merging measurements: each observation once, and one primary measurement of each workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.tables import MeasurementTable
from db.transfer import lines
from db.transfer.identity import measurement_identity
from db.transfer.stored import stored_measurements

_ELSEWHERE: Final = ("run", "workload", "target", "environment", "calibration")
Group = tuple[int, int, int, str]
"""Target, workload, protocol version and metric: of each at most one measurement is primary."""


@dataclass(frozen=True, slots=True)
class References:
    """Numbers of the rows that a measurement refers to."""

    run_id: int
    workload_id: int
    target_id: int
    environment_id: int
    calibration_id: int | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """The primary measurement of a group so far; without a number where it is about to be stored."""

    created_at: datetime
    id: int | None


class MeasurementMerger:
    """Stores measurements in chunks.

    Attributes:
        repeats: Stored ones that were primary where they come from, and are repeats here.
        demoted: Those here that became repeats.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.repeats = 0
        self.demoted = 0

    def add(self, chunk: Sequence[tuple[lines.Measurement, References]]) -> int:
        """Store those that are not here; tells how many were new."""
        stored = self._stored(chunk)
        new: dict[str, dict[str, Any]] = {}
        for line, references in sorted(chunk, key=lambda item: item[0].created_at):
            fields = msgspec.to_builtins(line, builtin_types=(datetime,))
            identity = measurement_identity(fields)
            if identity in stored:
                self._complete(stored[identity], line)
            elif identity not in new:
                kept = {name: value for name, value in fields.items() if name not in (*_ELSEWHERE, "record")}
                new[identity] = {**kept, **asdict(references)}
        if new:
            self._settle(list(new.values()))
            self.session.execute(MeasurementTable.__table__.insert(), list(new.values()))  # type: ignore[attr-defined]
        return len(new)

    def _stored(self, chunk: Sequence[tuple[lines.Measurement, References]]) -> Mapping[str, Any]:
        """Rows here that may be among the chunk, by what they are."""
        moments = {(references.workload_id, references.target_id, line.created_at) for line, references in chunk}
        reported = {(r.workload_id, r.target_id) for line, r in chunk if line.reported is not None}
        table = MeasurementTable
        query = select(table.id, table.workload_id, table.target_id, table.created_at, table.reported.is_not(None))
        query = query.where(table.workload_id.in_({references.workload_id for _, references in chunk}))
        numbers = [
            number
            for number, workload_id, target_id, created_at, is_reported in self.session.execute(query)
            if (workload_id, target_id, created_at) in moments or (is_reported and (workload_id, target_id) in reported)
        ]
        return {measurement_identity(dict(row._mapping)): row for row in self._rows(numbers)}

    def _rows(self, numbers: Sequence[int]) -> Iterable[Any]:
        for start in range(0, len(numbers), 500):
            yield from self.session.execute(
                stored_measurements().where(MeasurementTable.id.in_(numbers[start : start + 500]))
            )

    def _complete(self, row: Any, line: lines.Measurement) -> None:
        """Take over what an operator adds inside a chain, where that was worked out after the row was merged."""
        if row.marginal_s is None and line.marginal_s is not None:
            statement = update(MeasurementTable).where(MeasurementTable.id == row.id)
            self.session.execute(statement.values(marginal_s=line.marginal_s))

    def _settle(self, new: Sequence[dict[str, Any]]) -> None:
        """Leave one primary measurement a group, the earliest; `new` are sorted by their time."""
        primary = [values for values in new if values["status"] == "ok" and values["purpose"] == "primary"]
        standing = self._standing(primary)
        demoted = []
        for values in primary:
            held = standing.get(_group(values))
            if held is not None and held.created_at <= values["created_at"]:
                values["purpose"] = "repeat"
                self.repeats += 1
                continue
            if held is not None and held.id is not None:
                demoted.append(held.id)
            standing[_group(values)] = _Standing(values["created_at"], None)
        if demoted:
            statement = update(MeasurementTable).where(MeasurementTable.id.in_(demoted))
            self.session.execute(statement.values(purpose="repeat"))
            self.demoted += len(demoted)

    def _standing(self, primary: Sequence[Mapping[str, Any]]) -> dict[Group, _Standing]:
        table = MeasurementTable
        columns = (table.target_id, table.workload_id, table.protocol_version, table.metric, table.created_at, table.id)
        query = select(*columns).where(
            table.workload_id.in_({values["workload_id"] for values in primary}),
            table.status == "ok",
            table.purpose == "primary",
        )
        return {(row[0], row[1], row[2], row[3]): _Standing(row[4], row[5]) for row in self.session.execute(query)}


def _group(values: Mapping[str, Any]) -> Group:
    return values["target_id"], values["workload_id"], values["protocol_version"], values["metric"]
