"""Candidates: the architectures that a search scored, and the latencies that it went by.

A generation is stored in one transaction: after a kill it is there as a whole, or not at all. What is stored a second
time, by a search that goes on after a kill, is left as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Final, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import searches, workloads
from db.inserting import insert_missing
from db.records import ArchitectureRecord, CandidateLatency, CandidateRecord
from db.search_tables import CandidateLatencyRow, CandidateRow
from db.tables import ArchitectureRow
from hyctas.errors import StorageError

Item = TypeVar("Item")

_CHUNK: Final = 500
_LATENCY_FIELDS: Final = tuple(field.name for field in fields(CandidateLatency))


def add(session: Session, search_run_id: int, records: Sequence[CandidateRecord]) -> None:
    """Store candidates with their architectures and latencies; what is there already stays as it is.

    Raises:
        StorageError: There is no such search, or a candidate belongs to another one.
    """
    searches.find(session, search_run_id)
    for record in records:
        if record.search_run_id != search_run_id:
            raise StorageError(
                f"candidate {record.architecture_key!r} belongs to search {record.search_run_id}; "
                f"it cannot be stored in search {search_run_id}"
            )
    workloads.add_architectures(session, (ArchitectureRecord(r.architecture_key, None, r.document) for r in records))
    keys = [record.architecture_key for record in records]
    of_architecture = workloads.architecture_ids(session, keys)
    insert_missing(session, CandidateRow, [_row(r, of_architecture[r.architecture_key]) for r in records])
    ids = _ids(session, search_run_id, keys)
    insert_missing(
        session,
        CandidateLatencyRow,
        [{"candidate_id": ids[r.architecture_key], **asdict(latency)} for r in records for latency in r.latencies],
    )


def add_latencies(session: Session, search_run_id: int, latencies: Mapping[str, Sequence[CandidateLatency]]) -> None:
    """Store what another revision of the predictor says, by architecture key; what is there already stays.

    A latency that was measured on the same target is taken over.

    Raises:
        StorageError: The search has no such candidate.
    """
    ids = _ids(session, search_run_id, latencies)
    rows = [{"candidate_id": ids[key], **asdict(latency)} for key, of_key in latencies.items() for latency in of_key]
    measured = _measured(session, ids.values())
    for row in rows:
        if row["measured_s"] is None:
            row["measured_s"] = measured.get((row["candidate_id"], row["target"]))
    insert_missing(session, CandidateLatencyRow, rows)


def set_measured(session: Session, search_run_id: int, key: str, target: str, measured_s: float) -> None:
    """Store the measured latency of a candidate beside whatever was predicted of it on that target.

    Raises:
        StorageError: The search has no such candidate, or it has no latency on that target.
    """
    row, number = CandidateLatencyRow, _ids(session, search_run_id, [key])[key]
    known = set(session.scalars(select(row.target).where(row.candidate_id == number)))
    if target not in known:
        raise StorageError(
            f"candidate {key!r} of search {search_run_id} has no latency on {target!r}; "
            f"it has one on: {', '.join(sorted(known)) or 'no target'}"
        )
    of_target = update(row).where(row.candidate_id == number, row.target == target)
    session.execute(of_target.values(measured_s=measured_s))


def set_final_miou(session: Session, search_run_id: int, key: str, miou: float) -> None:
    """Store the quality of a candidate that was found with more care.

    Raises:
        StorageError: The search has no such candidate.
    """
    number = _ids(session, search_run_id, [key])[key]
    session.execute(update(CandidateRow).where(CandidateRow.id == number).values(final_miou=miou))


def find(session: Session, search_run_id: int) -> tuple[CandidateRecord, ...]:
    """All candidates of a search in the order in which they were stored.

    Raises:
        StorageError: There is no such search.
    """
    searches.find(session, search_run_id)
    latencies = _latencies(session, search_run_id)
    row = CandidateRow
    query = select(row.id, row.generation, row.miou, row.final_miou, row.failure, ArchitectureRow.key.label("key"))
    query = query.add_columns(ArchitectureRow.document).join(ArchitectureRow).where(row.search_run_id == search_run_id)
    return tuple(
        CandidateRecord(
            search_run_id=search_run_id,
            generation=found.generation,
            architecture_key=found.key,
            document=found.document,
            miou=found.miou,
            final_miou=found.final_miou,
            failure=found.failure,
            latencies=tuple(latencies[found.id]),
        )
        for found in session.execute(query.order_by(row.id))
    )


def _row(record: CandidateRecord, architecture_id: int) -> dict[str, object]:
    return {
        "search_run_id": record.search_run_id,
        "generation": record.generation,
        "architecture_id": architecture_id,
        "miou": record.miou,
        "final_miou": record.final_miou,
        "failure": record.failure,
    }


def _ids(session: Session, search_run_id: int, keys: Iterable[str]) -> Mapping[str, int]:
    """Numbers of candidates of a search, by architecture key."""
    wanted = list(dict.fromkeys(keys))
    found: dict[str, int] = {}
    query = select(ArchitectureRow.key, CandidateRow.id).join(CandidateRow)
    for chunk in _chunks(wanted):
        of_chunk = query.where(CandidateRow.search_run_id == search_run_id, ArchitectureRow.key.in_(chunk))
        found.update((key, number) for key, number in session.execute(of_chunk))
    for key in wanted:
        if key not in found:
            raise StorageError(f"search {search_run_id} has no candidate {key!r}; add_candidates() first")
    return found


def _measured(session: Session, candidate_ids: Iterable[int]) -> Mapping[tuple[int, str], float]:
    """Measured latency (seconds) by candidate and target, of those that were measured."""
    row = CandidateLatencyRow
    found: dict[tuple[int, str], float] = {}
    for chunk in _chunks(list(candidate_ids)):
        known = select(row.candidate_id, row.target, row.measured_s).where(row.candidate_id.in_(chunk))
        rows = session.execute(known)
        found.update({(number, target): seconds for number, target, seconds in rows if seconds is not None})
    return found


def _latencies(session: Session, search_run_id: int) -> Mapping[int, list[CandidateLatency]]:
    columns = [getattr(CandidateLatencyRow, name) for name in _LATENCY_FIELDS]
    query = select(CandidateLatencyRow.candidate_id, *columns).join(CandidateRow)
    query = query.where(CandidateRow.search_run_id == search_run_id).order_by(CandidateLatencyRow.id)
    found = defaultdict(list)
    for number, *values in session.execute(query):
        found[number].append(CandidateLatency(*values))
    return found


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
