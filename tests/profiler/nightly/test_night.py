"""The flow of a night, on a bench and records in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import CommandFailed, RuntimeUnavailable
from hyctas.target import parse_target
from profiler.nightly.canaries import choose_canaries
from profiler.nightly.config import JudgingConfig, NightConfig, TargetConfig
from profiler.nightly.night import NightRun, NightTarget
from profiler.nightly.report import Filled, NightReport, TargetReport, Trained, report_json
from profiler.nightly.sightings import Sighting
from profiler.nightly.words import described

SETTINGS = ArchitectureDefaults(height=64, width=128, base_channels=4)
JUDGING = JudgingConfig(witnesses=2, second_look=3, history=4)
WOBBLE = (0.002, -0.001, 0.003, -0.002, 0.001, 0.0, -0.003)


@cache
def night_target(name: str = "bench/onnxruntime-fp32-t1") -> NightTarget:
    config = TargetConfig(name, SETTINGS)
    return NightTarget(parse_target(name), config, choose_canaries(SETTINGS, operators=6, networks=0))


@dataclass
class Stage:
    """Bench and records: six quiet nights, and a tonight whose first canary takes `slow` times as long.

    Attributes:
        slow: Of the first and of the second look.
        jobs: Jobs that each look leaves to workers.
        seen: Processes that a look adds, of those that are asked for.
        refused: Targets that cannot be measured.
        failing: Names of canaries that fail tonight.
        untrainable: Whether training fails.
    """

    slow: tuple[float, float] = (1.0, 1.0)
    jobs: tuple[int, int] = (0, 0)
    seen: float = 1.0
    refused: Collection[str] = ()
    failing: Collection[str] = ()
    untrainable: bool = False
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    tonight: list[tuple[str, Sighting]] = field(default_factory=list)

    def look(self, target: NightTarget, look: int, processes: int) -> int:
        name = target.target.name
        if name in self.refused:
            raise RuntimeUnavailable(f"{name}: it does not open")
        self.asked.append((name, look, processes))
        if not self.jobs[look - 1]:
            for process in range(round(processes * self.seen)):
                self.tonight += [(name, one) for one in self._of(target, "now", look, process, self.slow[look - 1])]
        return self.jobs[look - 1]

    def fill(self, target: NightTarget, environment: Mapping[str, str]) -> Filled:
        return Filled({"missing": 1}, {"missing": 1})

    def train(self, target: NightTarget) -> Trained | None:
        if self.untrainable:
            raise CommandFailed("it could not be trained")
        return Trained("model", True, "it is the first")

    def sightings(self, target: NightTarget) -> Sequence[Sighting]:
        earlier = [
            one
            for night in range(6)
            for process in range(2)
            for one in self._of(target, f"night {night}", 1, process, 1.0)
        ]
        return [*earlier, *(one for name, one in self.tonight if name == target.target.name)]

    def slower(self, target: NightTarget) -> Mapping[str, Collection[str]]:
        return {}

    def environments(self, target: NightTarget) -> tuple[Mapping[str, str], Mapping[str, str]]:
        return {"onnxruntime": "1.26", "load": "3"}, {"onnxruntime": "1.27", "load": "1"}

    def notes(self, target: NightTarget) -> Sequence[str]:
        return ()

    def _of(self, target: NightTarget, night: str, look: int, process: int, slow: float) -> list[Sighting]:
        found = []
        for place, (key, name) in enumerate(target.names.items()):
            wobble = 1.0 + WOBBLE[(place * 3 + process * 2 + sum(map(ord, night)) + look) % len(WOBBLE)]
            ratio = wobble * (slow if place == 0 else 1.0)
            failed = night == "now" and name in self.failing
            of = f"{night}-{look}-{process}"
            seen = Sighting(night, look, of, key, ratio, 0.002 * wobble)
            found.append(replace(seen, ratio=None, reference_s=None, failure="crash: gone") if failed else seen)
        return found


def run(stage: Stage, *targets: NightTarget, judging: JudgingConfig = JUDGING) -> NightReport:
    chosen = targets or (night_target(),)
    config = NightConfig(tuple(target.config for target in chosen), judging=judging)
    night = NightRun("now", chosen, config, stage, stage)
    reports = night.run()
    return NightReport("now", "2026-05-01T02:00:00+00:00", 1.0, judging.false_alarms, reports, waiting=night.waiting)


def first_name() -> str:
    return next(iter(night_target().names.values()))


def only(report: NightReport) -> TargetReport:
    (found,) = report.targets
    return found


def test_quiet_night_measures_once_and_goes_on_to_learn() -> None:
    stage = Stage()
    report = run(stage, judging=replace(JUDGING, screen=1e-6))
    found = only(report)
    assert (report.state, [(look, count) for _, look, count in stage.asked]) == ("quiet", [(1, 2)])
    assert (found.nights, found.processes, found.changed) == (6, (2, 0), {"onnxruntime": ("1.26", "1.27")})
    assert found.filled.measured == {"missing": 1} and found.trained is not None


def test_slow_canary_is_looked_at_again_and_called_slower() -> None:
    stage = Stage(slow=(1.2, 1.2))
    report = run(stage)
    assert (report.state, [verdict.series.name for verdict in only(report).slower]) == ("regression", [first_name()])
    assert stage.asked[-1][1:] == (2, 3)
    assert f"slower: {first_name()} +" in described(report_json(report))


def test_slow_first_look_alone_is_acquitted() -> None:
    report = run(Stage(slow=(1.2, 1.0)))
    assert report.state == "quiet"
    assert first_name() in only(report).looked_again


def test_nothing_is_called_slower_while_workers_are_at_it() -> None:
    for jobs, asked in (((2, 0), [1]), ((0, 3), [1, 2])):
        stage = Stage(slow=(1.2, 1.2), jobs=jobs)
        report = run(stage)
        assert (report.state, report.waiting, only(report).slower) == ("waiting", sum(jobs), ())
        assert [look for _, look, _ in stage.asked] == asked
        assert only(report).trained is None
        assert "jobs are not done yet" in described(report_json(report))


@pytest.mark.parametrize(("seen", "slow"), [(0.5, 1.0), (0.67, 1.2)], ids=["first look", "second look"])
def test_night_that_is_too_short_is_a_failure(seen: float, slow: float) -> None:
    report = run(Stage(slow=(slow, slow), seen=seen), judging=replace(JUDGING, witnesses=3 if slow > 1 else 2))
    assert report.state == "failure"
    assert "budget_minutes is too short" in only(report).error


def test_what_fails_on_one_target_leaves_the_others_their_night() -> None:
    away = night_target("bench/openvino-fp32-t1")
    report = run(Stage(refused=[away.target.name], slow=(1.2, 1.2)), night_target(), away)
    good, bad = report.targets
    assert bad.error == f"{away.target.name}: it does not open"
    assert [verdict.series.name for verdict in good.slower] == [first_name()]
    assert report.state == "regression"


def test_canary_that_does_not_run_any_more_is_a_regression() -> None:
    report = run(Stage(failing=[first_name()]))
    assert (report.state, only(report).broken) == ("regression", {first_name(): "crash: gone"})
    assert f"broken: {first_name()}: crash: gone" in described(report_json(report))


def test_training_that_fails_is_a_failure_of_the_night() -> None:
    report = run(Stage(untrainable=True))
    assert (report.state, only(report).error) == ("failure", "it could not be trained")
    assert only(report).filled.measured == {"missing": 1}
