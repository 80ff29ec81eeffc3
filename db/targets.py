"""Targets, their devices and their calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.inserting import insert_missing
from db.tables import CalibrationRow, Device, TargetRow
from hyctas.errors import StorageError, UnknownTarget
from hyctas.measurement import Calibration, Normaliser
from hyctas.target import Target, parse_target


def ensure(session: Session, target: Target, facts: Mapping[str, str]) -> None:
    """Store `target` and its device; the device's facts are brought up to date."""
    insert_missing(session, Device, [{"slug": target.device, "facts": dict(facts)}])
    device = session.scalars(select(Device).where(Device.slug == target.device)).one()
    if facts and device.facts != dict(facts):
        device.facts = dict(facts)
    row = {"device_id": device.id, "name": target.name, "runtime": target.runtime}
    insert_missing(session, TargetRow, [{**row, "precision": target.precision, "threads": target.threads}])


def names(session: Session) -> list[str]:
    """Names of all targets, sorted."""
    return sorted(session.scalars(select(TargetRow.name)))


def id_of(session: Session, target: Target) -> int:
    """Number of a stored target.

    Raises:
        UnknownTarget: It was not stored.
    """
    found = stored_id(session, target)
    if found is None:
        raise UnknownTarget(target.name, names(session))
    return found


def stored_id(session: Session, target: Target) -> int | None:
    """Number of a target; None if it was not stored."""
    return session.scalar(select(TargetRow.id).where(TargetRow.name == target.name))


def named(session: Session, name: str) -> Target:
    """The stored target with that full name, or with that local name if only one device has it.

    Raises:
        UnknownTarget: There is none, or more than one.
    """
    stored = [parse_target(known) for known in names(session)]
    matching = [target for target in stored if name in (target.name, target.local_name)]
    if len(matching) != 1:
        raise UnknownTarget(name, [target.name for target in matching or stored])
    return matching[0]


def add_calibration(session: Session, calibration: Calibration, now: datetime) -> None:
    """Store a calibration under its target's next version.

    Raises:
        StorageError: Its version is taken; calibrations are never overwritten.
    """
    target_id = id_of(session, calibration.target)
    if calibration_id(session, calibration) is not None:
        raise StorageError(
            f"calibration {calibration.version} of {calibration.target} exists and is never overwritten; "
            "give the new one the next version"
        )
    session.add(
        CalibrationRow(
            target_id=target_id,
            version=calibration.version,
            compute_reference_s=calibration.compute_reference_s,
            memory_reference_s=calibration.memory_reference_s,
            normaliser=calibration.normaliser,
            process_error=cast(dict[str, Any], dict(calibration.process_error)),
            reference_id=calibration.reference_id,
            processes=calibration.processes,
            created_at=now,
        )
    )


def calibration_id(session: Session, calibration: Calibration) -> int | None:
    """Number of a stored calibration."""
    of_target = select(CalibrationRow.id).join(TargetRow).where(TargetRow.name == calibration.target.name)
    return session.scalar(of_target.where(CalibrationRow.version == calibration.version))


def calibrations(session: Session, target: Target) -> tuple[Calibration, ...]:
    """All calibrations of a target, oldest version first."""
    of_target = select(CalibrationRow).join(TargetRow).where(TargetRow.name == target.name)
    rows = session.scalars(of_target.order_by(CalibrationRow.version))
    return tuple(_calibration(row, target) for row in rows)


def latest_calibration(session: Session, target: Target) -> Calibration | None:
    """The calibration with the highest version of those made here, or of the merged ones where there is none."""
    of_target = select(CalibrationRow).join(TargetRow).where(TargetRow.name == target.name)
    rows = session.scalars(of_target.order_by(CalibrationRow.version))
    row = max(rows, key=lambda row: (row.origin is None, row.version), default=None)
    return None if row is None else _calibration(row, target)


def _calibration(row: CalibrationRow, target: Target) -> Calibration:
    return Calibration(
        target=target,
        version=row.version,
        compute_reference_s=row.compute_reference_s,
        memory_reference_s=row.memory_reference_s,
        normaliser=cast(Normaliser, row.normaliser),
        process_error=cast(Mapping[Normaliser, float], row.process_error),
        reference_id=row.reference_id,
        processes=row.processes,
    )
