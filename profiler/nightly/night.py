"""A night: measure canaries, judge them, look again at what is suspect, measure what else is due, learn.

What measures and what is stored stand behind two seams, :class:`Bench` and :class:`Records`, so that one flow serves
this machine and a fleet. Whatever was measured is stored at once: a night that was cut short goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hyctas.errors import HyctasError
from hyctas.target import Target
from profiler.nightly.canaries import canary_name
from profiler.nightly.config import NightConfig, TargetConfig
from profiler.nightly.judging import Series, Verdict, judge, judge_again, suspects
from profiler.nightly.report import Filled, TargetReport, Trained
from profiler.nightly.series import series_of
from profiler.nightly.sightings import Night, Sighting, nights_of
from profiler.nightly.work import changed
from profiler.plan import PlannedWorkload


@dataclass(frozen=True)
class NightTarget:
    """A target with what it measures.

    Attributes:
        target: The target.
        config: Its table of the configuration.
        canaries: What is measured every night.
    """

    target: Target
    config: TargetConfig
    canaries: tuple[PlannedWorkload, ...]

    @property
    def names(self) -> Mapping[str, str]:
        """Names of the canaries, by workload key."""
        return {planned.key: canary_name(planned) for planned in self.canaries}


class Bench(Protocol):
    """What measures."""

    def look(self, target: NightTarget, look: int, processes: int) -> int:
        """Measure all canaries until so many processes have, in this call or before; returns how many jobs are left.

        Args:
            target: Where.
            look: 1, or 2 for a second look.
            processes: How many in all.

        Raises:
            HyctasError: It cannot be done.
        """

    def fill(self, target: NightTarget, environment: Mapping[str, str]) -> Filled:
        """Measure what is missing, stale against that environment, or unstable, in the time that is left."""

    def train(self, target: NightTarget) -> Trained | None:
        """Learn the target again from what is stored; None where nothing is new."""


class Records(Protocol):
    """What is stored."""

    def sightings(self, target: NightTarget) -> Sequence[Sighting]:
        """What processes saw of canaries, tonight and before, oldest first."""

    def slower(self, target: NightTarget) -> Mapping[str, Collection[str]]:
        """By night, the series that were called slower then."""

    def environments(self, target: NightTarget) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Environment of the canaries of the last night before, and of tonight; empty where there is none."""

    def notes(self, target: NightTarget) -> Sequence[str]:
        """What of the history was left out, and why."""


@dataclass
class NightRun:
    """One call of a night.

    Attributes:
        label: Its label.
        targets: Where.
        config: How.
        bench: What measures.
        records: What is stored.
        waiting: Jobs that are not done yet.
    """

    label: str
    targets: Sequence[NightTarget]
    config: NightConfig
    bench: Bench
    records: Records
    waiting: int = 0
    _errors: dict[str, str] = field(default_factory=dict)

    def run(self) -> tuple[TargetReport, ...]:
        """Go through all of it; what fails on one target does not keep the others from their night.

        May be called again, after workers have done more.
        """
        judging = self.config.judging
        self.waiting = 0
        self._errors.clear()
        for target in self.targets:
            self._look(target, 1, judging.witnesses)
        verdicts = self._first_verdicts()
        suspect = {(v.series.target, v.series.name) for v in suspects(verdicts, judging.screen)}
        verdicts = self._second_verdicts(verdicts, suspect if not self.waiting else frozenset())
        reports = [self._report(target, verdicts, suspect) for target in self.targets]
        return tuple(self._afterwards(target, report) for target, report in zip(self.targets, reports, strict=True))

    def _look(self, target: NightTarget, look: int, processes: int) -> None:
        try:
            self.waiting += self.bench.look(target, look, processes)
        except HyctasError as error:
            self._errors[target.target.name] = str(error)

    def _first_verdicts(self) -> tuple[Verdict, ...]:
        judging = self.config.judging
        family = [series for target in self.targets for series in self._series(target, look=1)]
        return judge(family, false_alarms=judging.false_alarms, history=judging.history, window=judging.window)

    def _second_verdicts(self, first: tuple[Verdict, ...], suspect: Collection[tuple[str, str]]) -> tuple[Verdict, ...]:
        """Verdicts after a second look; while that is not there, nothing is called slower."""
        judging = self.config.judging
        asked = [target for target in self.targets if any(name == target.target.name for name, _ in suspect)]
        for target in asked:
            self._look(target, 2, judging.second_look)
        seen = {
            (series.target, series.name): series.tonight
            for target in asked
            for series in self._series(target, look=2)
            if (series.target, series.name) in suspect and len(series.tonight) >= judging.witnesses
        }
        return judge_again(
            first, seen, false_alarms=judging.false_alarms, history=judging.history, window=judging.window
        )

    def _series(self, target: NightTarget, *, look: int) -> tuple[Series, ...]:
        sightings = self.records.sightings(target)
        history = {label: night for label, night in nights_of(sightings).items() if label != self.label}
        tonight = nights_of(sightings, look).get(self.label, Night())
        return series_of(target.target.name, target.names, history, tonight, slower=self.records.slower(target))

    def _report(
        self, target: NightTarget, verdicts: Sequence[Verdict], suspect: Collection[tuple[str, str]]
    ) -> TargetReport:
        name = target.target.name
        tonight = [seen for seen in self.records.sightings(target) if seen.night == self.label]
        own = tuple(verdict for verdict in verdicts if verdict.series.target == name)
        before, now = self.records.environments(target)
        return TargetReport(
            name,
            own,
            tuple(of for where, of in suspect if where == name),
            max((len(verdict.series.history) for verdict in own), default=0),
            (_processes(tonight, 1), _processes(tonight, 2)),
            changed(before, now, self.config.stale),
            _broken(target, own, tonight),
            notes=tuple(self.records.notes(target)),
            error=self._errors.get(name, "") or self._incomplete(name, tonight, suspect),
        )

    def _incomplete(self, name: str, tonight: Sequence[Sighting], suspect: Collection[tuple[str, str]]) -> str:
        """What the time was too short for, or empty; of workers that are not done nothing is said."""
        judging, first, second = self.config.judging, _processes(tonight, 1), _processes(tonight, 2)
        if self.waiting:
            return ""
        if first < judging.witnesses:
            return f"only {first} of {judging.witnesses} processes measured canaries: budget_minutes is too short"
        again = sum(where == name for where, _ in suspect)
        if again and second < judging.second_look:
            return (
                f"{again} suspects were looked at again in {second} of {judging.second_look} processes only: "
                "budget_minutes is too short"
            )
        return ""

    def _afterwards(self, target: NightTarget, report: TargetReport) -> TargetReport:
        if report.error or self.waiting:
            return report
        try:
            filled = self.bench.fill(target, self.records.environments(target)[1])
            report = replace(report, filled=filled)
            return replace(report, trained=self.bench.train(target)) if target.config.train else report
        except HyctasError as error:
            return replace(report, error=str(error))


def _processes(sightings: Sequence[Sighting], look: int) -> int:
    return len({seen.process_id for seen in sightings if seen.look == look})


def _broken(target: NightTarget, verdicts: Sequence[Verdict], tonight: Sequence[Sighting]) -> Mapping[str, str]:
    """Canaries that were measured on earlier nights and failed in every process of tonight."""
    with_history = {verdict.series.name for verdict in verdicts if verdict.series.history}
    found: dict[str, str] = {}
    for key, name in target.names.items():
        seen = [sighting for sighting in tonight if sighting.workload_key == key]
        if seen and name in with_history and all(sighting.ratio is None for sighting in seen):
            found[name] = seen[-1].failure
    return found
