"""How a measurement becomes a row.

**Nothing is measured twice.** Of each workload on a target, under one protocol version and metric, at most one
row is ``ok`` and ``primary``; a unique index holds that between processes too. A second ``ok`` one that was meant
as primary (another profiler finished the same workload meanwhile) is kept as ``repeat``, so no work is lost and
it still tells the noise between processes. A measurement of what was stale supersedes the primary one. Unstable and
failed rows are never unique: each try is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import targets, workloads
from db.engine import compact_json
from db.inserting import insert_missing, insert_or_ignore
from db.records import Purpose
from db.rounds_json import rounds_to_json
from db.tables import Environment, MeasurementTable, Run
from hyctas.errors import StorageError
from hyctas.measurement import Calibration, Measurement, Normaliser


def add(
    session: Session,
    run_id: int,
    measurement: Measurement,
    *,
    calibration: Calibration | None,
    purpose: Purpose,
    marginal_s: float | None = None,
    supersede: bool = False,
    now: datetime,
) -> int:
    """Store a measurement; returns its number.

    Where it is to `supersede` and is ``ok``, the one that was primary becomes a repeat.

    Raises:
        StorageError: Its run, workload or calibration was not stored.
        UnknownTarget: Its target was not stored.
    """
    values = {
        **_references(session, run_id, measurement, calibration),
        **_derived(measurement, calibration),
        **_observed(measurement),
        "marginal_s": marginal_s,
        "created_at": now,
    }
    if supersede and purpose == "primary" and values["status"] == "ok":
        _demote(session, values)
    for kept_as in dict.fromkeys((purpose, "repeat")):
        statement = insert_or_ignore(session, MeasurementTable).values(**values, purpose=kept_as)
        number: int | None = session.scalar(statement.returning(MeasurementTable.id))
        if number is not None:
            return number
    raise StorageError(f"the measurement of workload {measurement.workload_key} was not stored")


def _demote(session: Session, values: Mapping[str, Any]) -> None:
    """Make a repeat of the ``ok`` measurement that is primary for the work of these column values."""
    alike = ("target_id", "workload_id", "protocol_version", "metric")
    same = [getattr(MeasurementTable, name) == values[name] for name in alike]
    primary = (MeasurementTable.status == "ok", MeasurementTable.purpose == "primary")
    session.execute(update(MeasurementTable).where(*same, *primary).values(purpose="repeat"))


def values_of(
    session: Session, run_id: int, measurements: Sequence[Measurement], *, now: datetime
) -> list[dict[str, Any]]:
    """Column values of measurements of one target and environment without calibrations; all but ``purpose``.

    Raises:
        StorageError: Their run or a workload was not stored.
        UnknownTarget: Their target was not stored.
    """
    ids = workloads.ids_by_key(session, [measurement.workload_key for measurement in measurements])
    shared = _references(session, run_id, measurements[0], None)
    return [
        {
            **shared,
            "workload_id": ids[measurement.workload_key],
            **_derived(measurement, None),
            **_observed(measurement),
            "marginal_s": None,
            "created_at": now,
        }
        for measurement in measurements
    ]


def set_marginal(session: Session, measurement_id: int, marginal_s: float | None) -> None:
    """Store what an operator adds inside a chain, beside its latency alone.

    Raises:
        StorageError: There is no such measurement.
    """
    row = session.get(MeasurementTable, measurement_id)
    if row is None:
        raise StorageError(f"measurement {measurement_id} does not exist")
    row.marginal_s = marginal_s


def _references(
    session: Session, run_id: int, measurement: Measurement, calibration: Calibration | None
) -> dict[str, Any]:
    if session.scalar(select(Run.id).where(Run.id == run_id)) is None:
        raise StorageError(f"run {run_id} does not exist; start_run() first")
    key = measurement.workload_key
    return {
        "run_id": run_id,
        "workload_id": workloads.ids_by_key(session, [key])[key],
        "target_id": targets.id_of(session, measurement.target),
        "environment_id": _environment_id(session, measurement.environment),
        "calibration_id": None if calibration is None else _calibration_id(session, calibration),
    }


def _derived(measurement: Measurement, calibration: Calibration | None) -> dict[str, Any]:
    """What the domain computes; without a calibration the latency is the wall time, or what was reported."""
    normaliser: Normaliser = "none" if calibration is None else calibration.normaliser
    status = measurement.status(normaliser)
    wall_s = measurement.wall_s
    latency_s = wall_s if calibration is None else measurement.latency_s(calibration)
    if measurement.reported is not None:
        latency_s = measurement.reported.latency_s
    half_width = measurement.half_width(normaliser)
    return {
        "normaliser": normaliser,
        "status": status,
        "wall_s": wall_s,
        "latency_s": None if status == "failed" else latency_s,
        "half_width": half_width if math.isfinite(half_width) else None,
    }


def _observed(measurement: Measurement) -> dict[str, Any]:
    failure = measurement.failure
    return {
        "metric": measurement.metric,
        "protocol_version": measurement.protocol.version,
        "protocol": asdict(measurement.protocol),
        "process_id": measurement.process_id,
        "call_floor_s": measurement.call_floor_s,
        "rounds": rounds_to_json(measurement.rounds),
        "reported": None if measurement.reported is None else asdict(measurement.reported),
        "engine": dict(measurement.engine) or None,
        "failure_kind": None if failure is None else failure.kind,
        "failure_message": None if failure is None else failure.message,
    }


def _calibration_id(session: Session, calibration: Calibration) -> int:
    found = targets.calibration_id(session, calibration)
    if found is None:
        raise StorageError(
            f"calibration {calibration.version} of {calibration.target} is not stored; add_calibration() first"
        )
    return found


def environment_digest(facts: Mapping[str, str]) -> str:
    """What equal environments have in common: the checksum of their facts."""
    return hashlib.sha256(compact_json(dict(sorted(facts.items()))).encode()).hexdigest()


def environment_ids(session: Session, digests: Iterable[str]) -> Mapping[str, int]:
    """Numbers of the stored ones among environments with these digests."""
    query = select(Environment.digest, Environment.id).where(Environment.digest.in_(sorted(set(digests))))
    return {row.digest: row.id for row in session.execute(query)}


def _environment_id(session: Session, facts: Mapping[str, str]) -> int:
    digest = environment_digest(facts)
    found = environment_ids(session, [digest])
    if not found:
        insert_missing(session, Environment, [{"digest": digest, "facts": dict(sorted(facts.items()))}])
        found = environment_ids(session, [digest])
    return found[digest]
