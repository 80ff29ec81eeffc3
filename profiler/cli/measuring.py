"""What both commands do: calibrate if need be, measure a plan, store and print what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer
from rich.console import Console

from db.records import MeasurementFilter, RunStatus
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.measurement import Calibration, Protocol, Status
from hyctas.target import Target
from profiler.calibration import BUSY_MACHINE, DEFAULT_PROCESSES, calibrate
from profiler.cli.options import Options
from profiler.cli.progress import console_progress
from profiler.cli.store import RepositoryStore, SupersedingStore
from profiler.device import LocalMachine
from profiler.plan import PlannedWorkload
from profiler.profile import run_plan
from profiler.reference import reference_id
from profiler.summary import summary_json, summary_text

EXIT_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Work:
    """What one command is to measure.

    Attributes:
        kind: Kind of the run.
        plan: What to measure, equal work once.
        arguments: What was asked for, as JSON.
        options: How to measure.
        named: Networks that were asked for one by one, equal work too: their status is told.
    """

    kind: str
    plan: Sequence[PlannedWorkload]
    arguments: Mapping[str, Any]
    options: Options
    named: Sequence[PlannedWorkload] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a :class:`Work`.

    Attributes:
        document: All of it, as JSON.
        text: The same for people.
        interrupted: Whether it ended early; everything measured by then is stored.
    """

    document: Mapping[str, Any]
    text: str
    interrupted: bool


def measure(work: Work, target_name: str, db: str, *, as_json: bool) -> None:
    """Measure as asked, store every result at once, and print the summary.

    Raises:
        InvalidTarget: The target cannot be one of this machine.
        RuntimeUnavailable: Its runtime cannot be opened.
        Exit: It was interrupted; everything measured by then is stored.
    """
    done = measured(work, target_name, db)
    typer.echo(json.dumps(done.document) if as_json else done.text)
    if done.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


def measured(work: Work, target_name: str, db: str) -> Measured:
    """Measure as asked, and store every result at once.

    Raises:
        InvalidTarget: The target cannot be one of this machine.
        RuntimeUnavailable: Its runtime cannot be opened.
    """
    machine = LocalMachine(os.environ)
    target = machine.target(target_name)
    console = Console(stderr=True)
    with Repository.open(db) as repository:
        repository.mark_interrupted()
        repository.ensure_target(target, machine.facts(target))
        calibration = calibration_of(repository, target, console, work.options)
        run_id = repository.start_run(work.kind, target, work.arguments)
        store = _store(repository, run_id, calibration, work)
        store.add_networks(work.named)
        with console_progress(console) as progress:
            summary = run_plan(work.plan, store, work.options.settings(calibration, run_id), progress)
        status: RunStatus = "interrupted" if summary.interrupted else "finished"
        repository.finish_run(run_id, summary_json(summary), status=status)
        networks = {"networks": _status_of(work.named, store)} if work.named else {}
    document = {"run": run_id, "target": target.name, "kind": work.kind, **summary_json(summary), **networks}
    text = summary_text(summary, calibration, Protocol().relative_half_width)
    return Measured(document, f"run {run_id} on {target}: {text}", summary.interrupted)


def _store(repository: Repository, run_id: int, calibration: Calibration, work: Work) -> RepositoryStore:
    """Where results go; what is to be superseded is all that earlier tries of the same job have not measured."""
    if not work.options.supersede:
        return RepositoryStore(repository, run_id, calibration)
    job = work.arguments["job"]
    tries = [
        run.id for run in repository.runs(calibration.target) if run.arguments.get("job") == job and job is not None
    ]
    rows = (row for run in tries for row in repository.measurements(MeasurementFilter(run_id=run), limit=None))
    done = {row.workload_key for row in rows if row.status != "unstable"}
    return SupersedingStore(repository, run_id, calibration, {item.key for item in work.plan} - done)


def _status_of(networks: Sequence[PlannedWorkload], store: RepositoryStore) -> dict[str, Status | None]:
    """By architecture key, how the measurement ended, in this run or an earlier one; None without one."""
    statuses = store.statuses()
    return {
        planned.source.key: statuses.get(planned.key)
        for planned in networks
        if isinstance(planned.source, Architecture)
    }


def calibration_of(repository: Repository, target: Target, console: Console, options: Options) -> Calibration:
    """The target's calibration; made now where there is none, or where the reference code changed."""
    latest = repository.latest_calibration(target)
    if latest is not None and not options.recalibrate and latest.reference_id == reference_id():
        return latest
    version = 1 + max((stored.version for stored in repository.calibrations(target)), default=0)
    with console.status(f"calibrating {target} in {DEFAULT_PROCESSES} processes"):
        calibration = calibrate(target, version=version, build_limit_s=options.build_limit_s)
    repository.add_calibration(calibration)
    error = calibration.process_error[calibration.normaliser]
    if error > BUSY_MACHINE:
        console.print(
            f"warning: processes differ by {error:.0%} even after normalising: something else runs on this machine; "
            "stop it and measure again with --recalibrate"
        )
    return calibration
