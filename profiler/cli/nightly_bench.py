"""Measuring a night on this machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from rich.console import Console

from db.records import RunStatus
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.command_process import CommandRunner
from hyctas.errors import CommandFailed
from hyctas.measurement import Calibration, Protocol, Status
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from profiler.cli.measuring import calibration_of
from profiler.cli.nightly_records import CANARIES, NightRecords
from profiler.cli.options import Options
from profiler.cli.progress import console_progress
from profiler.cli.store import RepositoryStore
from profiler.device import LocalMachine
from profiler.nightly.config import NightConfig
from profiler.nightly.night import NightTarget
from profiler.nightly.report import Filled, Trained
from profiler.nightly.witness import witness
from profiler.nightly.work import Known, Work, work_of
from profiler.plan import PlannedWorkload, distinct, plan_networks, plan_operators
from profiler.profile import run_plan
from profiler.store import Result
from profiler.summary import ProfileSummary, summary_json

LEAST_S: Final = 5.0
"""Seconds that must be left for measuring to be begun."""


@dataclass
class LocalBench:
    """This machine; see :class:`profiler.nightly.night.Bench`.

    Attributes:
        repository: Where results go.
        records: What is stored of nights.
        machine: This machine.
        config: The configuration.
        db: URL of the database.
        console: Where progress is shown.
        clock_s: A monotonic clock.
    """

    repository: Repository
    records: NightRecords
    machine: LocalMachine
    config: NightConfig
    db: str
    console: Console
    clock_s: Callable[[], float] = time.monotonic
    _began_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Start the clock of the budget."""
        self._began_s = self.clock_s()

    @property
    def left_s(self) -> float:
        """Seconds of the budget that are left."""
        return 60.0 * self.config.budget_minutes - (self.clock_s() - self._began_s)

    def look(self, target: NightTarget, look: int, processes: int) -> int:
        """Measure canaries in one process after the other until enough have; nothing is ever left to wait for."""
        done = complete_processes(self.records, target, look)
        if done >= processes:
            return 0
        self.repository.ensure_target(target.target, self.machine.facts(target.target))
        options = Options(seed=target.config.seed, build_limit_s=target.config.build_limit_s)
        calibration = calibration_of(self.repository, target.target, self.console, options)
        arguments = {"night": self.records.label, "look": look}
        run_id = self.repository.start_run(CANARIES, target.target, arguments)
        with console_progress(self.console) as progress:
            progress.begin(f"canaries {'again' if look > 1 else ''}", processes - done)
            measured = 0
            while done + measured < processes and self.left_s > LEAST_S:
                measure_canaries(self.repository, run_id, target.canaries, calibration, options, seed=measured)
                measured += 1
                progress.advance(1)
        self.repository.finish_run(run_id, {"processes": measured})
        return 0

    def fill(self, target: NightTarget, environment: Mapping[str, str]) -> Filled:
        """Measure what is missing, then what is stale, then what is unstable, as long as there is time."""
        plan = plan_of(target)
        work = work_of(plan, known(self.repository, target), environment, self.config.stale)
        summaries: dict[str, ProfileSummary] = {}
        for reason, items in work.by_reason().items():
            if items and self.left_s > LEAST_S:
                summaries[reason] = self._measure(target, work, items)
        wanted = {reason: len(items) for reason, items in work.by_reason().items()}
        not_begun = sum(count for reason, count in wanted.items() if reason not in summaries)
        return Filled(
            wanted,
            {reason: summary.measured for reason, summary in summaries.items()},
            unstable=sum(summary.unstable for summary in summaries.values()),
            failed=sum(sum(summary.failed.values()) for summary in summaries.values()),
            remaining=not_begun + sum(summary.remaining for summary in summaries.values()),
        )

    def _measure(self, target: NightTarget, work: Work, items: Sequence[PlannedWorkload]) -> ProfileSummary:
        options = Options(
            seed=target.config.seed, build_limit_s=target.config.build_limit_s, budget_s=self.left_s, repeats=0
        )
        calibration = calibration_of(self.repository, target.target, self.console, options)
        kinds = {"network" if isinstance(item.source, Architecture) else "operator" for item in items}
        kind = "networks" if kinds == {"network"} else "operators" if kinds == {"operator"} else "nightly"
        arguments = {"night": self.records.label, "workloads": len(items)}
        run_id = self.repository.start_run(kind, target.target, arguments)
        store = SupersedingStore(self.repository, run_id, calibration, {item.key for item in work.stale})
        store.add_networks([item for item in items if isinstance(item.source, Architecture)])
        with console_progress(self.console) as progress:
            summary = run_plan(items, store, options.settings(calibration, run_id), progress)
        status: RunStatus = "interrupted" if summary.interrupted else "finished"
        self.repository.finish_run(run_id, summary_json(summary), status=status)
        if summary.interrupted:
            raise KeyboardInterrupt
        return summary

    def train(self, target: NightTarget) -> Trained | None:
        """Train if anything was measured since the newest model; register it if it is no worse."""
        if not new_since_training(self.repository, target):
            return None
        training = self.config.training
        arguments = ("--target", target.target.name, "--db", self.db, "--out", str(training.models))
        log = self.config.reports / "commands.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        commands = CommandRunner(log, lambda elapsed_s: None)
        try:
            found = commands.run("train", *arguments, "--if-no-worse", "--tolerance", str(training.tolerance))
        except CommandFailed as error:
            raise CommandFailed(f"the predictor of {target.target} could not be trained: {error}") from error
        return Trained(found["model_id"], found["registered"], found["comparison"]["reason"])


@dataclass(frozen=True, slots=True)
class SupersedingStore(RepositoryStore):
    """A store that takes stale measurements for none, until they are measured again.

    Attributes:
        stale: Keys of workloads whose measurement is to be replaced.
    """

    stale: set[str] = field(default_factory=set)

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload whose measurement counts."""
        found = self.repository.measured_status(self.calibration.target, Protocol().version)
        return {key: status for key, status in found.items() if key not in self.stale}

    def save(self, result: Result) -> None:
        """Store a result in place of the stale one, if it is a good one."""
        key, status = result.planned.key, result.measurement.status(self.calibration.normaliser)
        self.keep(result, supersede=key in self.stale)
        if status != "unstable":
            self.stale.discard(key)


def measure_canaries(
    repository: Repository,
    run_id: int,
    canaries: Sequence[PlannedWorkload],
    calibration: Calibration,
    options: Options,
    *,
    seed: int,
) -> Counter[Status]:
    """Measure canaries in a new process and store each at once, as a repeat; returns how they ended."""
    store = RepositoryStore(repository, run_id, calibration)
    store.add_networks([planned for planned in canaries if isinstance(planned.source, Architecture)])
    drawn = int(np.random.SeedSequence([options.seed, run_id, seed]).generate_state(1)[0])
    ended: Counter[Status] = Counter()
    found = witness(
        calibration.target, canaries, calibration.normaliser, seed=drawn, build_limit_s=options.build_limit_s
    )
    for planned, measurement in found:
        store.save(Result(planned, measurement, None, repeat=True))
        ended[measurement.status(calibration.normaliser)] += 1
    return ended


def complete_processes(records: NightRecords, target: NightTarget, look: int) -> int:
    """How many processes have measured every canary tonight; one that was cut short counts by what it left."""
    counted: Counter[str] = Counter()
    for run, row in records.rows(target):
        if run.arguments["night"] == records.label and run.arguments["look"] == look:
            counted[row.workload_key] += 1
    return min((counted[key] for key in target.names), default=0)


def plan_of(target: NightTarget) -> tuple[PlannedWorkload, ...]:
    """What is to be measured on a target besides canaries."""
    config = target.config
    space = SearchSpace(name=config.settings.space, depth=config.depth)
    operators = plan_operators(space, config.settings) if config.operators else ()
    networks: tuple[PlannedWorkload, ...] = ()
    if config.networks:
        drawn = sample_structured(space, np.random.default_rng(config.seed), config.networks, config.settings)
        networks = plan_networks(drawn)
    return distinct([*operators, *networks])


def known(repository: Repository, target: NightTarget) -> Mapping[str, Known]:
    """What is stored of all workloads of a target."""
    environments = {row.workload_key: row.environment for _, row in repository.network_latencies(target.target)}
    environments |= {row.workload_key: row.environment for _, row in repository.operator_latencies(target.target)}
    statuses = repository.measured_status(target.target, Protocol().version)
    return {key: Known(status, environments.get(key, {})) for key, status in statuses.items()}


def new_since_training(repository: Repository, target: NightTarget) -> bool:
    """Whether something to learn from was measured since the newest model was trained; or there is none yet."""
    measured = [
        *(row for _, row in repository.network_latencies(target.target)),
        *(row for _, row in repository.operator_latencies(target.target)),
    ]
    newest = repository.latest_model(target.target)
    if newest is None:
        return bool(measured)
    return any(row.created_at > newest.created_at for row in measured)
