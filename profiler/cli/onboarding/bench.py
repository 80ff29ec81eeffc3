"""The machine that is onboarded: calibrated, and measured block by block into the database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from db.records import CHOSEN, MeasurementFilter, RunRecord, RunStatus
from db.repository import Repository
from hyctas.measurement import Calibration, Protocol, Status
from hyctas.target import Target
from profiler.blocks import BlockSettings
from profiler.calibration import calibrate
from profiler.cli.onboarding.values import ARGUMENT, Block, Point, Request
from profiler.cli.store import RepositoryStore
from profiler.plan import plan_networks, plan_parts
from profiler.profile import ProfileSettings, run_plan
from profiler.reference import reference_id
from profiler.store import Progress, Result
from profiler.summary import ProfileSummary, summary_json

CALIBRATION_SHARE: Final = 0.15
"""Share of the budget after which no further process calibrates."""
CALIBRATION: Final = "calibration"
OPERATORS: Final = "operators"
NETWORKS: Final = "networks"


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a block: its runs by kind, which :meth:`Bench.finish` ends, and the summary of all."""

    runs: Mapping[str, int]
    summary: ProfileSummary


@dataclass(frozen=True, eq=False)
class Bench:
    """Measures on this machine for one request.

    Attributes:
        repository: Where results land.
        target: What is measured, a stored target.
        request: What was asked for.
        progress: Told how far a block is.
    """

    repository: Repository
    target: Target
    request: Request
    progress: Progress

    def used_s(self) -> float:
        """Seconds that earlier attempts at the same request used."""
        return covered_s([self._span_s(run) for run in self._earlier_runs()])

    def points(self) -> list[Point]:
        """How far earlier attempts had come."""
        found = [run.summary.get(ARGUMENT) for run in self._earlier_runs()]
        return [Point(**point) for point in found if point]

    def calibrate(self, remaining_s: float) -> Calibration:
        """The target's calibration, measured now where there is none; a short budget gets fewer processes.

        Raises:
            RuntimeUnavailable: The runtime cannot be opened.
            MeasuringError: No probe ran.
        """
        latest = self.repository.latest_calibration(self.target)
        if latest is not None and latest.reference_id == reference_id():
            return latest
        version = 1 + max((stored.version for stored in self.repository.calibrations(self.target)), default=0)
        run = self._start(CALIBRATION)
        calibration = calibrate(self.target, version=version, budget_s=CALIBRATION_SHARE * remaining_s)
        self.repository.add_calibration(calibration)
        self.repository.finish_run(run, {"processes": calibration.processes})
        return calibration

    def statuses(self) -> Mapping[str, Status]:
        """How each workload that was measured on the target ended, by key."""
        return self.repository.measured_status(self.target, Protocol().version)

    def measure(self, block: Block, calibration: Calibration, *, budget_s: float) -> Measured:
        """Measure a block, each result stored at once; nothing new is begun once the budget is used."""
        groups = {
            NETWORKS: plan_networks(block.drawn),
            CHOSEN: plan_networks(block.chosen),
            OPERATORS: plan_parts(block.operators),
        }
        runs = {kind: self._start(kind) for kind, plan in groups.items() if plan}
        stores = {kind: RepositoryStore(self.repository, run, calibration) for kind, run in runs.items()}
        routes = {item.key: stores[kind] for kind, plan in groups.items() for item in plan}
        for kind in (NETWORKS, CHOSEN):
            if kind in stores:
                stores[kind].add_networks(groups[kind])
        plan = list({item.key: item for plan in groups.values() for item in plan}.values())
        store = _Routing(next(iter(stores.values())), routes)
        return Measured(runs, run_plan(plan, store, self._settings(calibration, runs, budget_s), self.progress))

    def finish(self, measured: Measured, point: Point) -> None:
        """End the runs of a block; the first keeps how far it came."""
        status: RunStatus = "interrupted" if measured.summary.interrupted else "finished"
        summary: dict[str, Any] = {**summary_json(measured.summary), ARGUMENT: asdict(point)}
        for run in measured.runs.values():
            self.repository.finish_run(run, summary, status=status)
            summary = {}

    def _settings(self, calibration: Calibration, runs: Mapping[str, int], budget_s: float) -> ProfileSettings:
        return ProfileSettings(
            calibration,
            seed=min(runs.values()),
            budget_s=max(budget_s, 0.0),
            repeats=0,
            blocks=BlockSettings(),
        )

    def _start(self, kind: str) -> int:
        return self.repository.start_run(kind, self.target, {ARGUMENT: dict(self.request.identity)})

    def _earlier_runs(self) -> list[RunRecord]:
        runs = self.repository.runs(self.target)
        return [run for run in runs if run.arguments.get(ARGUMENT) == self.request.identity]

    def _span_s(self, run: RunRecord) -> tuple[float, float]:
        """When a run began and ended (seconds since 1970); one that was killed ended with its last result."""
        ended = run.finished_at if run.status == "finished" or run.summary else None
        if ended is None:
            rows = self.repository.measurements(MeasurementFilter(run_id=run.id), limit=1, order="newest")
            ended = rows[0].created_at if rows else run.started_at
        return run.started_at.timestamp(), ended.timestamp()


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that at least one of some spans of time covers; the runs of a block go on at once."""
    total_s, reached_s = 0.0, -math.inf
    for begun_s, ended_s in sorted(spans):
        total_s += max(ended_s - max(begun_s, reached_s), 0.0)
        reached_s = max(reached_s, ended_s)
    return total_s


@dataclass(frozen=True, eq=False)
class _Routing:
    """A store that keeps each result under the run that it was picked for."""

    first: RepositoryStore
    routes: Mapping[str, RepositoryStore]

    def statuses(self) -> Mapping[str, Status]:
        return self.first.statuses()

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        return self.first.pairs()

    def save(self, result: Result) -> None:
        self.routes[result.planned.key].save(result)
