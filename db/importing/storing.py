"""Storing what others measured, all of it or nothing.

A reported latency has no rounds, no reference and no calibration, and claims none: its row is ``ok`` with the latency
as reported, no wall time, and a half-width only where the source tells its samples. A row whose target, workload
and report (latency, samples, label) are stored already is known, whichever file it came from, so importing
twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import measurement_writing, runs, targets, workloads
from db.engine import compact_json
from db.importing.source import ImportedLatency, ImportOutcome, ImportSource
from db.locking import hold_measurements
from db.records import CHOSEN, IMPORTED
from db.tables import MeasurementTable
from hyctas.measurement import Measurement, Protocol

PROCESS: Final = "imported"
"""Process of all reported rows: they never pair up as a measurement and its repeat in another process."""
_CHUNK: Final = 500


def store(session: Session, source: ImportSource, rows: Sequence[ImportedLatency], now: datetime) -> ImportOutcome:
    """Store the rows that are not known yet, under one run; without new rows nothing is written."""
    hold_measurements(session)
    new = [row for chunk in _chunks(rows) for row in _unknown(session, source, chunk)]
    new = list({_identity(row): row for row in reversed(new)}.values())[::-1]
    if not new:
        return ImportOutcome(None, 0, 0, len(rows))
    targets.ensure(session, source.target, source.device)
    workloads.add(session, [row.workload for row in new])
    workloads.add_architectures(session, [row.architecture for row in new if row.architecture is not None])
    kind = CHOSEN if source.chosen else IMPORTED
    run_id = runs.start(session, kind, source.target, arguments={"format": source.format, **source.arguments}, now=now)
    repeats = sum(_insert(session, run_id, source, chunk, now) for chunk in _chunks(new))
    outcome = ImportOutcome(run_id, len(new), repeats, len(rows) - len(new))
    summary = {name: value for name, value in asdict(outcome).items() if name != "run_id"}
    runs.finish(session, run_id, summary=summary, status="finished", now=now)
    return outcome


def _chunks(rows: Sequence[ImportedLatency]) -> Iterator[Sequence[ImportedLatency]]:
    yield from (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _unknown(session: Session, source: ImportSource, rows: Sequence[ImportedLatency]) -> list[ImportedLatency]:
    stored = workloads.stored_ids(session, [row.workload.key for row in rows])
    target_id = targets.stored_id(session, source.target)
    if target_id is None or not stored:
        return list(rows)
    key_of = {number: key for key, number in stored.items()}
    query = select(MeasurementTable.workload_id, MeasurementTable.reported).where(
        MeasurementTable.target_id == target_id,
        MeasurementTable.workload_id.in_(key_of),
        MeasurementTable.metric == source.target.metric,
        MeasurementTable.process_id == PROCESS,
    )
    known = {(key_of[number], _canonical(reported)) for number, reported in session.execute(query) if reported}
    return [row for row in rows if _identity(row) not in known]


def _identity(row: ImportedLatency) -> tuple[str, str]:
    return row.workload.key, _canonical(asdict(row.reported))


def _canonical(reported: Mapping[str, Any]) -> str:
    return compact_json(dict(sorted(reported.items())))


def _insert(session: Session, run_id: int, source: ImportSource, rows: Sequence[ImportedLatency], now: datetime) -> int:
    """Insert rows of one chunk; returns how many of them are repeats."""
    measured = [_measurement(source, row) for row in rows]
    values = measurement_writing.values_of(session, run_id, measured, now=now)
    taken = _measured_before(session, values)
    for row in values:
        row["purpose"] = "repeat" if row["workload_id"] in taken else "primary"
        taken.add(row["workload_id"])
    session.execute(MeasurementTable.__table__.insert(), values)  # type: ignore[attr-defined]
    return sum(row["purpose"] == "repeat" for row in values)


def _measured_before(session: Session, values: Sequence[Mapping[str, Any]]) -> set[int]:
    """Workloads among `values` that have a primary measurement of their target, protocol and metric."""
    first = values[0]
    query = select(MeasurementTable.workload_id).where(
        MeasurementTable.target_id == first["target_id"],
        MeasurementTable.protocol_version == first["protocol_version"],
        MeasurementTable.metric == first["metric"],
        MeasurementTable.status == "ok",
        MeasurementTable.purpose == "primary",
        MeasurementTable.workload_id.in_({row["workload_id"] for row in values}),
    )
    return set(session.scalars(query))


def _measurement(source: ImportSource, row: ImportedLatency) -> Measurement:
    return Measurement(
        workload_key=row.workload.key,
        target=source.target,
        rounds=(),
        call_floor_s=0.0,
        protocol=replace(Protocol(), min_rounds=0, max_rounds=0, samples_per_round=0),
        environment=source.facts,
        metric=source.target.metric,
        process_id=PROCESS,
        reported=row.reported,
    )
