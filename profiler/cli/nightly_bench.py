"""Measuring a night on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console

from db.records import RunStatus
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.job import CANARIES
from profiler.cli.measuring import calibration_of
from profiler.cli.nightly_canaries import measure_canaries
from profiler.cli.nightly_due import complete_processes, known, plan_of, train
from profiler.cli.nightly_records import NightRecords
from profiler.cli.options import Options
from profiler.cli.progress import console_progress
from profiler.cli.store import SupersedingStore
from profiler.device import LocalMachine
from profiler.nightly.config import NightConfig
from profiler.nightly.night import NightTarget
from profiler.nightly.report import Filled, Trained
from profiler.nightly.work import Work, work_of
from profiler.plan import PlannedWorkload
from profiler.profile import run_plan
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
        console: Where progress is shown.
        clock_s: A monotonic clock.
    """

    repository: Repository
    records: NightRecords
    machine: LocalMachine
    config: NightConfig
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
        measured = 0
        status: RunStatus = "interrupted"
        try:
            with console_progress(self.console) as progress:
                progress.begin("canaries again" if look > 1 else "canaries", processes - done)
                while done + measured < processes and self.left_s > LEAST_S:
                    measure_canaries(self.repository, run_id, target.canaries, calibration, options, seed=measured)
                    measured += 1
                    progress.advance(1)
            status = "finished"
        finally:
            self.repository.finish_run(run_id, {"processes": measured}, status=status)
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
        """See :func:`profiler.cli.nightly_due.train`."""
        return train(self.repository, self.config, target)
