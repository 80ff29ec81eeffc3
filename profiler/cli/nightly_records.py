"""What the database holds of earlier nights, and of tonight."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from db.records import MeasurementFilter, MeasurementRow, RunRecord
from db.repository import Repository
from hyctas.job import CANARIES
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.nightly.night import NightTarget
from profiler.nightly.sightings import Sighting

NIGHT: Final = "night"
"""Kind of the run that keeps the report of a night, as its summary."""
SPARE_NIGHTS: Final = 2
"""Nights that are read for each that counts: some may have been left out."""


@dataclass
class NightRecords:
    """Nights of a database.

    Attributes:
        repository: The database.
        label: Of tonight.
        window: Nights of history that count.
    """

    repository: Repository
    label: str
    window: int
    _notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def runs(self, target: Target) -> Sequence[RunRecord]:
        """Runs that measured canaries of a target, oldest first."""
        return [run for run in self.repository.runs(target) if run.kind == CANARIES and "night" in run.arguments]

    def rows(self, target: NightTarget) -> Sequence[tuple[RunRecord, MeasurementRow]]:
        """Measurements of canaries in the nights that may count and tonight, oldest first."""
        since = target.config.since or date.min
        runs = [run for run in self.runs(target.target) if run.started_at.date() >= since or self._is_tonight(run)]
        nights = list(dict.fromkeys(run.arguments["night"] for run in runs if not self._is_tonight(run)))
        kept = {*nights[-SPARE_NIGHTS * self.window :], self.label}
        wanted = [run for run in runs if run.arguments["night"] in kept]
        return [(run, row) for run in wanted for row in self._rows_of(run)]

    def sightings(self, target: NightTarget) -> Sequence[Sighting]:
        """See :class:`profiler.nightly.night.Records`."""
        calibrations = {found.version: found for found in self.repository.calibrations(target.target)}
        latest = self.repository.latest_calibration(target.target)
        keys = target.names
        rows = [(run, row) for run, row in self.rows(target) if row.workload_key in keys]
        alike = [(run, row) for run, row in rows if latest is None or row.normaliser == latest.normaliser]
        others = {run.arguments["night"] for run, row in rows} - {run.arguments["night"] for run, row in alike}
        name = target.target.name
        if others and latest is not None:
            told = f"{len(others)} earlier nights do not count: they were not normalised by {latest.normaliser}"
            self._notes[name] = (told,)
        return [_sighting(run, row, calibrations) for run, row in alike]

    def slower(self, target: NightTarget) -> Mapping[str, Collection[str]]:
        """See :class:`profiler.nightly.night.Records`."""
        found: dict[str, Collection[str]] = {}
        for run in self.nights():
            for of_target in run.summary.get("targets", ()):
                if of_target["target"] == target.target.name:
                    found[run.arguments["night"]] = frozenset(of_target["slower"])
        return found

    def environments(self, target: NightTarget) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """See :class:`profiler.nightly.night.Records`."""
        before: Mapping[str, str] = {}
        now: Mapping[str, str] = {}
        for run, row in self.rows(target):
            if self._is_tonight(run):
                now = row.environment
            else:
                before = row.environment
        return before, now

    def notes(self, target: NightTarget) -> Sequence[str]:
        """See :class:`profiler.nightly.night.Records`."""
        return self._notes.get(target.target.name, ())

    def nights(self) -> Sequence[RunRecord]:
        """Reports of nights, oldest first."""
        return [run for run in self.repository.runs() if run.kind == NIGHT]

    def finished_report(self, targets: Sequence[str]) -> Mapping[str, Any] | None:
        """The report of tonight on these targets if it has ended, and not with a failure or waiting for workers."""
        wanted = {"night": self.label, "targets": list(targets)}
        done = (run.summary for run in self.nights() if run.arguments == wanted)
        return next((summary for summary in done if summary.get("state") in ("quiet", "regression")), None)

    def _is_tonight(self, run: RunRecord) -> bool:
        return bool(run.arguments["night"] == self.label)

    def _rows_of(self, run: RunRecord) -> Sequence[MeasurementRow]:
        return self.repository.measurements(MeasurementFilter(run_id=run.id), limit=None)


def _sighting(run: RunRecord, row: MeasurementRow, calibrations: Mapping[int, Calibration]) -> Sighting:
    night, look = str(run.arguments["night"]), int(run.arguments["look"])
    if row.latency_s is None or not row.latency_s > 0.0:
        why = f"{row.failure_kind or 'failed'}: {row.failure_message or 'no latency'}"
        return Sighting(night, look, row.process_id, row.workload_key, None, None, why)
    calibration = calibrations.get(row.calibration_version or 0)
    ratio = row.latency_s / (calibration.reference_s if calibration is not None else 1.0)
    normalised = row.normaliser != "none" and row.wall_s is not None
    reference_s = row.wall_s / ratio if normalised and row.wall_s is not None else None
    return Sighting(night, look, row.process_id, row.workload_key, ratio, reference_s)
