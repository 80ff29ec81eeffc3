"""Merging the records of a document into a database, in one transaction.

Nothing that is here changes, with one exception. Of each workload on a target, under one protocol version and metric,
one ``ok`` measurement is primary: where both sides have one, the earlier is, whichever side it comes from. So models
learn from the same measurements, whether A was merged into B or B into A.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import targets, workloads
from db.inserting import insert_missing
from db.locking import hold_measurements
from db.measurement_writing import environment_digest, environment_ids
from db.records import ArchitectureRecord, WorkloadRecord
from db.tables import Device, Environment
from db.transfer import lines
from db.transfer.measurement_merging import MeasurementMerger, References
from db.transfer.provenance_merging import CalibrationMerger, RunMerger
from db.transfer.values import MergeOutcome
from hyctas.errors import InvalidInput
from hyctas.target import Target, parse_target

Row = TypeVar("Row")
_CHUNK: Final = 500


def merge(session: Session, records: Iterable[lines.Record]) -> MergeOutcome:
    """Store the records that are not here yet; a record comes after those that it refers to.

    Raises:
        InvalidInput: A record refers to one that is neither in the document before it nor here, or contradicts it.
    """
    hold_measurements(session)
    merging = _Merging(session)
    for kind, chunk in _chunks(records):
        merging.take(kind, chunk)
    return MergeOutcome(
        dict(merging.read), dict(+merging.added), merging.measurements.repeats, merging.measurements.demoted
    )


def _chunks(records: Iterable[lines.Record]) -> Iterator[tuple[type[lines.Record], Sequence[Any]]]:
    for kind, alike in groupby(records, key=type):
        while chunk := list(islice(alike, _CHUNK)):
            yield kind, chunk


class _Merging:
    """One merge: what was read and added so far, and where the document's references lead."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.read: Counter[str] = Counter()
        self.added: Counter[str] = Counter()
        self.target_ids: dict[str, int] = {}
        self.calibrations = CalibrationMerger(session)
        self.runs = RunMerger(session)
        self.measurements = MeasurementMerger(session)
        self._take: Mapping[type[lines.Record], Callable[[Sequence[Any]], int]] = {
            lines.Device: self._devices,
            lines.Target: self._targets,
            lines.Environment: self._environments,
            lines.Calibration: self._calibrations,
            lines.Workload: self._workloads,
            lines.Architecture: self._architectures,
            lines.Run: self._runs,
            lines.Measurement: self._measurements,
        }

    def take(self, kind: type[lines.Record], chunk: Sequence[Any]) -> None:
        """Store the new ones among some records of one kind."""
        name = kind.__name__.lower()
        self.read[name] += len(chunk)
        self.added[name] += self._take[kind](chunk)

    def _devices(self, chunk: Sequence[lines.Device]) -> int:
        of_slugs = select(Device.slug).where(Device.slug.in_([line.slug for line in chunk]))
        new = {line.slug: line.facts for line in chunk}
        for slug in self.session.scalars(of_slugs):
            new.pop(slug)
        insert_missing(self.session, Device, [{"slug": slug, "facts": new[slug]} for slug in sorted(new)])
        return len(new)

    def _targets(self, chunk: Sequence[lines.Target]) -> int:
        new = [target for target in map(_parsed, chunk) if targets.stored_id(self.session, target) is None]
        for target in new:
            targets.ensure(self.session, target, {})
        self.target_ids |= {line.name: targets.id_of(self.session, _parsed(line)) for line in chunk}
        return len(new)

    def _environments(self, chunk: Sequence[lines.Environment]) -> int:
        for line in chunk:
            if environment_digest(line.facts) != line.digest:
                raise InvalidInput(
                    "environment", line.digest, f"the digest of its facts, {environment_digest(line.facts)}"
                )
        facts_of = {line.digest: line.facts for line in chunk}
        new = sorted(facts_of.keys() - environment_ids(self.session, facts_of))
        rows = [{"digest": digest, "facts": dict(sorted(facts_of[digest].items()))} for digest in new]
        insert_missing(self.session, Environment, rows)
        return len(new)

    def _calibrations(self, chunk: Sequence[lines.Calibration]) -> int:
        return sum(self.calibrations.add(line, self._target_id(line.target)) for line in chunk)

    def _workloads(self, chunk: Sequence[lines.Workload]) -> int:
        stored = workloads.stored_ids(self.session, [line.key for line in chunk])
        workloads.add(self.session, (WorkloadRecord(**msgspec.structs.asdict(line)) for line in chunk))
        return len({line.key for line in chunk}) - len(stored)

    def _architectures(self, chunk: Sequence[lines.Architecture]) -> int:
        stored = workloads.architecture_ids(self.session, [line.key for line in chunk])
        known = workloads.stored_ids(self.session, [line.workload for line in chunk])
        for line in chunk:
            _resolved(known, line.workload, "architecture", "workload")
        workloads.add_architectures(
            self.session, (ArchitectureRecord(line.key, line.workload, line.document) for line in chunk)
        )
        return len({line.key for line in chunk}) - len(stored)

    def _runs(self, chunk: Sequence[lines.Run]) -> int:
        target_of = {line.id: None if line.target is None else self._target_id(line.target) for line in chunk}
        return self.runs.add(chunk, target_of)

    def _measurements(self, chunk: Sequence[lines.Measurement]) -> int:
        workload_ids = workloads.stored_ids(self.session, [line.workload for line in chunk])
        environments = environment_ids(self.session, [line.environment for line in chunk])
        return self.measurements.add([(line, self._references(line, workload_ids, environments)) for line in chunk])

    def _references(
        self, line: lines.Measurement, workload_ids: Mapping[str, int], environments: Mapping[str, int]
    ) -> References:
        calibration_id = None
        if line.calibration is not None:
            calibration_id, target = _resolved(self.calibrations.known, line.calibration, "measurement", "calibration")
            if target != line.target:
                raise InvalidInput("measurement", line.target, f"{target}, the target of its calibration")
        return References(
            run_id=_resolved(self.runs.known, line.run, "measurement", "run"),
            workload_id=_resolved(workload_ids, line.workload, "measurement", "workload"),
            target_id=self._target_id(line.target),
            environment_id=_resolved(environments, line.environment, "measurement", "environment"),
            calibration_id=calibration_id,
        )

    def _target_id(self, name: str) -> int:
        return _resolved(self.target_ids, name, "record", "target")


def _parsed(line: lines.Target) -> Target:
    return parse_target(line.name)


def _resolved(known: Mapping[str, Row], name: str, of: str, what: str) -> Row:
    try:
        return known[name]
    except KeyError:
        raise InvalidInput(of, name, f"a {what} that stands before it in the document") from None
