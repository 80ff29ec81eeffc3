"""Commands that measure: ``hyctas targets``, ``hyctas profile operators`` and ``hyctas profile networks``."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from db.engine import DEFAULT_URL
from db.records import ArchitectureRecord, RunStatus, WorkloadRecord
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.architecture_options import with_settings
from hyctas.measurement import Calibration, Status
from hyctas.measurement import Protocol as MeasuringProtocol
from hyctas.parts import IMAGE_CHANNELS, Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target, parse_target
from profiler.calibration import BUSY_MACHINE, DEFAULT_PROCESSES, calibrate
from profiler.device import device_facts, device_slug
from profiler.plan import PlannedWorkload, plan_networks, plan_operators
from profiler.probe import probe_targets
from profiler.profile import ProfileSettings, run_plan
from profiler.reference import reference_id
from profiler.store import Result
from profiler.summary import summary_json, summary_text

DEVICE_VARIABLE: Final = "HYCTAS_DEVICE"
EXIT_INTERRUPTED: Final = 130

Db = Annotated[str, typer.Option("--db", help="Database URL.")]
TargetName = Annotated[str, typer.Option("--target", help="What to measure; the device may be left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Budget = Annotated[float | None, typer.Option(min=1.0, help="Seconds of measuring after which nothing new is begun.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds measure the same workloads.")]
Depth = Annotated[int, typer.Option(min=1, help="Most cells of a branch.")]
Repeats = Annotated[int | None, typer.Option(min=0, help="Workloads measured again for the noise floor.")]
Recalibrate = Annotated[bool, typer.Option("--recalibrate", help="Measure the reference latencies anew first.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")]

profile: Final = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.command("targets")(targets)
    app.add_typer(profile, name="profile", help="Measure operators or whole networks on this machine.")


def targets(as_json: Json = False) -> None:
    """List what this machine can measure, and for each runtime that it cannot, why and what to install."""
    probed = probe_targets(local_device())
    if as_json:
        rows = [{"target": p.target.name, "available": p.reason is None, "reason": p.reason} for p in probed]
        typer.echo(json.dumps({"targets": rows}))
        return
    for p in probed:
        typer.echo(p.target.name if p.reason is None else f"{p.target.name}: not available: {p.reason}")


@profile.command()
@with_settings
def operators(
    settings: ArchitectureDefaults,
    target: TargetName = "onnxruntime-fp32-t1",
    budget_s: Budget = None,
    seed: Seed = 0,
    depth: Depth = 16,
    repeats: Repeats = None,
    recalibrate: Recalibrate = False,
    retry_failed: RetryFailed = False,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Measure every distinct operator of a space at one input size, alone and inside a chain."""
    plan = plan_operators(SearchSpace(depth=depth), settings)
    options = Options(seed, budget_s, repeats, recalibrate, retry_failed)
    arguments = {"settings": dataclasses.asdict(settings), "depth": depth, **dataclasses.asdict(options)}
    _profile(Work("operators", plan, arguments, options), target, db, as_json=as_json)


@profile.command()
@with_settings
def networks(
    settings: ArchitectureDefaults,
    count: Annotated[int, typer.Option(min=1, help="Networks to sample.")] = 200,
    target: TargetName = "onnxruntime-fp32-t1",
    budget_s: Budget = None,
    seed: Seed = 0,
    depth: Depth = 16,
    repeats: Repeats = None,
    recalibrate: Recalibrate = False,
    retry_failed: RetryFailed = False,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Measure whole networks, sampled as prefix trees that cover the space evenly."""
    sample = sample_structured(SearchSpace(depth=depth), np.random.default_rng(seed), count, settings)
    options = Options(seed, budget_s, repeats, recalibrate, retry_failed)
    arguments = {"settings": dataclasses.asdict(settings), "depth": depth, "count": count}
    arguments |= dataclasses.asdict(options)
    _profile(Work("networks", plan_networks(sample), arguments, options), target, db, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Options:
    """What both commands let one choose about the measuring."""

    seed: int
    budget_s: float | None
    repeats: int | None
    recalibrate: bool
    retry_failed: bool

    def settings(self, calibration: Calibration, run_id: int) -> ProfileSettings:
        """How to measure. Each run has an order of its own, so that two at once do not meet all the time."""
        seed = int(np.random.SeedSequence([self.seed, run_id]).generate_state(1)[0])
        return ProfileSettings(
            calibration, seed=seed, budget_s=self.budget_s, repeats=self.repeats, retry_failed=self.retry_failed
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What one command is to measure."""

    kind: str
    plan: Sequence[PlannedWorkload]
    arguments: Mapping[str, Any]
    options: Options


def local_device() -> str:
    """Slug of this machine: the environment's, or the hardware's."""
    return os.environ.get(DEVICE_VARIABLE) or device_slug(device_facts())


def _profile(work: Work, target_name: str, db: str, *, as_json: bool) -> None:
    target = parse_target(target_name, device=local_device())
    console = Console(stderr=True)
    with Repository.open(db) as repository:
        repository.mark_interrupted()
        repository.ensure_target(target, device_facts())
        calibration = _calibration(repository, target, console, again=work.options.recalibrate)
        run_id = repository.start_run(work.kind, target, work.arguments)
        with _progress(console) as progress:
            store = RepositoryStore(repository, run_id, calibration)
            summary = run_plan(work.plan, store, work.options.settings(calibration, run_id), progress)
        status: RunStatus = "interrupted" if summary.interrupted else "finished"
        repository.finish_run(run_id, summary_json(summary), status=status)
    document = {"run": run_id, "target": target.name, "kind": work.kind, **summary_json(summary)}
    text = summary_text(summary, calibration, MeasuringProtocol().relative_half_width)
    typer.echo(json.dumps(document) if as_json else f"run {run_id} on {target}: {text}")
    if summary.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


def _calibration(repository: Repository, target: Target, console: Console, *, again: bool) -> Calibration:
    """The target's calibration; made now where there is none, or where the reference code changed."""
    latest = repository.latest_calibration(target)
    if latest is not None and not again and latest.reference_id == reference_id():
        return latest
    version = 1 if latest is None else latest.version + 1
    with console.status(f"calibrating {target} in {DEFAULT_PROCESSES} processes"):
        calibration = calibrate(target, version=version)
    repository.add_calibration(calibration)
    error = calibration.process_error[calibration.normaliser]
    if error > BUSY_MACHINE:
        console.print(
            f"warning: processes differ by {error:.0%} even after normalising: something else runs on this machine; "
            "stop it and measure again with --recalibrate"
        )
    return calibration


@dataclass(frozen=True, slots=True)
class RepositoryStore:
    """Keeps results in the database: each measurement is one transaction, after that of what it refers to."""

    repository: Repository
    run_id: int
    calibration: Calibration

    def statuses(self) -> Mapping[str, Status]:
        """Status of each workload that is already measured on this target."""
        return self.repository.measured_status(self.calibration.target, MeasuringProtocol().version)

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        """Latencies of each workload that was stable in two processes under one calibration."""
        found = self.repository.repeats(self.calibration.target, protocol_version=MeasuringProtocol().version)
        return {
            first.workload_key: (first.latency_s, second.latency_s)
            for first, second in found
            if first.latency_s is not None and second.latency_s is not None
        }

    def save(self, result: Result) -> None:
        """Store the workload, its architecture if it is a network, and the measurement."""
        self.repository.add_workloads([workload_record(result.planned)])
        if isinstance(result.planned.source, Architecture):
            self.repository.add_architectures([_architecture_record(result.planned.source, result.planned.key)])
        self.repository.add_measurement(
            self.run_id,
            result.measurement,
            calibration=self.calibration,
            purpose="repeat" if result.repeat else "primary",
            marginal_s=result.marginal_s,
        )


def workload_record(planned: PlannedWorkload) -> WorkloadRecord:
    """What the database keeps of a workload."""
    source = planned.source
    if isinstance(source, Part):
        kind, operator, description = "operator", source.kind, dataclasses.asdict(source)
        size: dict[str, Any] = {"height": source.height, "width": source.width}
        size |= {"c_in": sum(source.in_channels), "c_out": source.out_channels, "stride": source.stride}
    else:
        kind, operator, description = "network", "network", {"architecture": source.key}
        size = {"height": source.input.height, "width": source.input.width}
        size |= {"c_in": IMAGE_CHANNELS, "c_out": source.classes, "stride": None}
    return WorkloadRecord(
        key=planned.key,
        kind=kind,  # type: ignore[arg-type]
        operator=operator,
        description=description,
        **size,
        **dataclasses.asdict(planned.costs),
    )


def _architecture_record(architecture: Architecture, workload_key: str) -> ArchitectureRecord:
    return ArchitectureRecord(architecture.key, workload_key, to_json(architecture))


@dataclass
class ConsoleProgress:
    """Shows a phase as a bar with the time left."""

    bars: Progress
    task: TaskID | None = field(default=None)

    def begin(self, phase: str, total: int) -> None:
        """Show a new bar."""
        self.task = self.bars.add_task(phase, total=total)

    def advance(self, count: int) -> None:
        """Move the latest bar."""
        if self.task is not None:
            self.bars.advance(self.task, count)


@contextmanager
def _progress(console: Console) -> Iterator[ConsoleProgress]:
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bars:
        yield ConsoleProgress(bars)
