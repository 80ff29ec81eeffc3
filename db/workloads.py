"""Workloads, and the architectures that lower to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.inserting import insert_missing
from db.records import ArchitectureRecord, WorkloadKind, WorkloadRecord
from db.tables import ArchitectureRow, WorkloadRow
from hyctas.errors import StorageError

_FIELDS: Final = tuple(field.name for field in fields(WorkloadRecord))
_CHUNK: Final = 500


def add(session: Session, records: Iterable[WorkloadRecord]) -> None:
    """Store workloads; one whose key exists is left as it is."""
    by_key = {record.key: record for record in records}
    rows = [{name: getattr(by_key[key], name) for name in _FIELDS} for key in sorted(by_key)]
    insert_missing(session, WorkloadRow, rows)


def find(session: Session, key: str) -> WorkloadRecord | None:
    """The workload with that key."""
    row = session.scalars(select(WorkloadRow).where(WorkloadRow.key == key)).one_or_none()
    return None if row is None else workload_record(row)


def add_architectures(session: Session, records: Iterable[ArchitectureRecord]) -> None:
    """Store architectures; one whose key exists is left as it is.

    Raises:
        StorageError: The workload of one was not stored.
    """
    by_key = {record.key: record for record in records}
    ids = ids_by_key(session, {record.workload_key for record in by_key.values()})
    rows = [
        {"key": key, "workload_id": ids[by_key[key].workload_key], "document": by_key[key].document}
        for key in sorted(by_key)
    ]
    insert_missing(session, ArchitectureRow, rows)


def find_architecture(session: Session, key: str) -> ArchitectureRecord | None:
    """The architecture with that key."""
    found = session.execute(
        select(ArchitectureRow, WorkloadRow.key).join(WorkloadRow).where(ArchitectureRow.key == key)
    ).one_or_none()
    return None if found is None else architecture_record(found[0], found[1])


def ids_by_key(session: Session, keys: Iterable[str]) -> Mapping[str, int]:
    """Numbers of stored workloads.

    Raises:
        StorageError: One was not stored.
    """
    wanted = sorted(set(keys))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = session.execute(select(WorkloadRow.key, WorkloadRow.id).where(WorkloadRow.key.in_(chunk)))
        found.update((key, number) for key, number in rows)
    missing = [key for key in wanted if key not in found]
    if missing:
        raise StorageError(f"{len(missing)} workload(s) are not stored, such as {missing[0]!r}; add_workloads() first")
    return found


def workload_record(row: WorkloadRow) -> WorkloadRecord:
    """The value of a row."""
    return WorkloadRecord(
        key=row.key,
        kind=cast(WorkloadKind, row.kind),
        operator=row.operator,
        description=row.description,
        height=row.height,
        width=row.width,
        c_in=row.c_in,
        c_out=row.c_out,
        stride=row.stride,
        macs=row.macs,
        conv_macs=row.conv_macs,
        parameters=row.parameters,
        bytes_moved=row.bytes_moved,
        peak_activation_bytes=row.peak_activation_bytes,
    )


def architecture_record(row: ArchitectureRow, workload_key: str) -> ArchitectureRecord:
    """The value of a row."""
    return ArchitectureRecord(key=row.key, workload_key=workload_key, document=row.document)
