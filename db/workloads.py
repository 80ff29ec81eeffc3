"""Workloads, and the architectures that lower to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final, cast

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from db.inserting import insert_missing
from db.records import ArchitectureRecord, WorkloadKind, WorkloadRecord
from db.tables import ArchitectureRow, WorkloadRow
from hyctas.errors import StorageError

_FIELDS: Final = tuple(field.name for field in fields(WorkloadRecord))
_CHUNK: Final = 500
_SET_WORKLOAD: Final = (
    update(ArchitectureRow)
    .where(ArchitectureRow.key == bindparam("of_key"), ArchitectureRow.workload_id.is_(None))
    .values(workload_id=bindparam("lowers_to"))
)


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
    """Store architectures; one whose key exists is left as it is, but gets a workload if it had none.

    Raises:
        StorageError: The workload of one was not stored.
    """
    by_key = {record.key: record for record in records}
    workload_of = {key: record.workload_key for key, record in sorted(by_key.items())}
    ids = ids_by_key(session, filter(None, workload_of.values()))
    rows = [
        {"key": key, "workload_id": ids[workload] if workload else None, "document": by_key[key].document}
        for key, workload in workload_of.items()
    ]
    insert_missing(session, ArchitectureRow, rows)
    lowered = [{"of_key": row["key"], "lowers_to": row["workload_id"]} for row in rows if row["workload_id"]]
    if lowered:
        session.connection().execute(_SET_WORKLOAD, lowered)


def find_architecture(session: Session, key: str) -> ArchitectureRecord | None:
    """The architecture with that key."""
    found = session.execute(
        select(ArchitectureRow, WorkloadRow.key).outerjoin(WorkloadRow).where(ArchitectureRow.key == key)
    ).one_or_none()
    return None if found is None else architecture_record(found[0], found[1])


def architecture_ids(session: Session, keys: Iterable[str]) -> Mapping[str, int]:
    """Numbers of the stored ones among these architectures."""
    return _ids(session, ArchitectureRow, sorted(set(keys)))


def stored_ids(session: Session, keys: Iterable[str]) -> Mapping[str, int]:
    """Numbers of the stored ones among these workloads."""
    return _ids(session, WorkloadRow, sorted(set(keys)))


def ids_by_key(session: Session, keys: Iterable[str]) -> Mapping[str, int]:
    """Numbers of stored workloads.

    Raises:
        StorageError: One was not stored.
    """
    wanted = sorted(set(keys))
    found = _ids(session, WorkloadRow, wanted)
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


def architecture_record(row: ArchitectureRow, workload_key: str | None) -> ArchitectureRecord:
    """The value of a row."""
    return ArchitectureRecord(key=row.key, workload_key=workload_key, document=row.document)


def _ids(session: Session, table: type[ArchitectureRow] | type[WorkloadRow], keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), _CHUNK):
        rows = session.execute(select(table.key, table.id).where(table.key.in_(keys[start : start + _CHUNK])))
        found.update((key, number) for key, number in rows)
    return found
