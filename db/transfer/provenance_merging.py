"""Merging calibrations and runs: each keeps its own row, and says which database it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import CalibrationRow, Run, TargetRow
from db.transfer import lines
from db.transfer.identity import calibration_identity, run_identity
from hyctas.errors import InvalidInput


class CalibrationMerger:
    """Stores calibrations under the version that they had, or the target's next one where another has that.

    Attributes:
        known: Number and target of each calibration of the document, by its identity.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.known: dict[str, tuple[int, str]] = {}

    def add(self, line: lines.Calibration, target_id: int) -> bool:
        """Store one unless it is here; tells whether it was new."""
        values = msgspec.structs.asdict(line)
        _check_identity("calibration", line.id, calibration_identity(values))
        stored = list(self.session.scalars(select(CalibrationRow).where(CalibrationRow.target_id == target_id)))
        for row in stored:
            if calibration_identity({**_values_of(row), "target": line.target}) == line.id:
                self.known[line.id] = (row.id, line.target)
                return False
        versions = {row.version for row in stored}
        version = max(versions) + 1 if line.version in versions else line.version
        kept = {name: value for name, value in values.items() if name not in ("id", "target", "origin")}
        origin = msgspec.structs.asdict(line.origin)
        new = CalibrationRow(**{**kept, "target_id": target_id, "version": version, "origin": origin})
        self.session.add(new)
        self.session.flush()
        self.known[line.id] = (new.id, line.target)
        return True


class RunMerger:
    """Stores runs under new numbers.

    Attributes:
        known: Number of each run of the document, by its identity.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.known: dict[str, int] = {}

    def add(self, chunk: Sequence[lines.Run], target_of: Mapping[str, int | None]) -> int:
        """Store those that are not here; tells how many were new. `target_of` has the target's number by identity."""
        stored = self._stored(chunk)
        new: dict[str, Run] = {}
        for line in chunk:
            values = msgspec.structs.asdict(line)
            _check_identity("run", line.id, run_identity(values))
            if (row := stored.get(line.id)) is not None:
                self.known[line.id] = row.id
                _bring_up_to_date(row, line)
            elif line.id not in new:
                kept = {name: value for name, value in values.items() if name not in ("id", "target", "origin")}
                new[line.id] = Run(**kept, target_id=target_of[line.id], origin=msgspec.structs.asdict(line.origin))
        self.session.add_all(new.values())
        self.session.flush()
        self.known |= {identity: row.id for identity, row in new.items()}
        return len(new)

    def _stored(self, chunk: Sequence[lines.Run]) -> Mapping[str, Run]:
        query = select(Run, TargetRow.name).outerjoin(TargetRow, TargetRow.id == Run.target_id)
        query = query.where(Run.started_at.in_([line.started_at for line in chunk]))
        return {run_identity({**_values_of(row), "target": name}): row for row, name in self.session.execute(query)}


def _bring_up_to_date(row: Run, line: lines.Run) -> None:
    """A run that had not finished when it was merged may have since; what this database ran itself stays as it is."""
    if row.origin is not None and row.status == "interrupted" and line.status == "finished":
        row.status, row.finished_at, row.summary = line.status, line.finished_at, line.summary


def _values_of(row: CalibrationRow | Run) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _check_identity(what: str, told: str, found: str) -> None:
    if told != found:
        raise InvalidInput(what, told, f"the checksum of its content, {found}")
