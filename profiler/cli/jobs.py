"""``hyctas jobs``: fill the queue of a fleet, and see what became of its jobs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from db.option import Db
from db.records import CHOSEN
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_files import read_architectures
from hyctas.architecture_options import with_settings
from hyctas.enumeration import operator_parts
from hyctas.errors import InvalidInput
from hyctas.job import Job, JobOptions
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from profiler.fleet.address import fleet_url

if TYPE_CHECKING:
    from profiler.fleet.queue import Enqueued, ListedJob, Queue, State

DEFAULT_DEPTH: Final = 16
DEFAULT_COUNT: Final = 200
PER_JOB: Final = 50
SHORT_ID: Final = 12

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
TargetName = Annotated[str, typer.Option("--target", help="Full name, with the device.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a job, or how it begins.")]
Label = Annotated[str, typer.Option(help="Equal jobs are one job; a label makes another one of them.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds measure the same.")]
Budget = Annotated[float | None, typer.Option("--budget-s", min=1.0, help="Seconds of measuring, for each job.")]
Priority = Annotated[int, typer.Option(help="Of the jobs of a target, higher ones come first.")]
PerJob = Annotated[int, typer.Option(min=1, help="Workloads of a job; what a worker loses at most when it dies.")]
Depth = Annotated[int, typer.Option(min=1, help="Most cells of a branch.")]

jobs: Final = typer.Typer(no_args_is_help=True)
enqueue: Final = typer.Typer(no_args_is_help=True)
jobs.add_typer(enqueue, name="enqueue", help="Put jobs into the queue of a target.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(jobs, name="jobs", help="Fill the queue of a fleet, and see what became of its jobs.")


@contextmanager
def opened(db: str) -> Iterator[tuple[Queue, Repository]]:
    """The queue and the database behind it, both at this version's schema."""
    from profiler.fleet.queue import open_queue
    from profiler.fleet.queue_schema import prepare_queue

    url = fleet_url(db)
    with Repository.open(url) as repository:
        prepare_queue(url)
        with open_queue(url, repository) as queue:
            yield queue, repository


@jobs.command("list")
def list_jobs(
    db: Db,
    target: Annotated[str | None, typer.Option("--target", help="Only of this target.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Only these: waiting, running, succeeded, failed, cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    with opened(db) as (queue, _):
        found = queue.jobs(
            target=None if target is None else parse_target(target), states=_states(state or ()), limit=limit
        )
    if as_json:
        typer.echo(json.dumps({"jobs": [job_json(job) for job in found]}))
        return
    table = Table("job", "state", "target", "kind", "label", "workloads", "tries", "reason")
    for job in found:
        reason = "" if job.result is None else job.result.reason
        ticket = job.ticket
        cells = (ticket.id[:SHORT_ID], job.state, ticket.target.name, ticket.kind, ticket.label, str(job.workloads))
        table.add_row(*cells, str(job.tries), reason)
    Console().print(table)


@jobs.command()
def show(job_id: Id, db: Db, as_json: Json = False) -> None:
    """Show a job: what it asks for, every attempt at it, and its result."""
    with opened(db) as (queue, repository):
        job = queue.job(job_id)
        attempts = repository.job_attempts(job.ticket.id)
        document = queue.document(job.ticket.id)
    tries = [
        {
            "number": attempt.number,
            "worker": attempt.worker,
            "started_at": attempt.started_at.isoformat(),
            "ended_at": attempt.ended_at and attempt.ended_at.isoformat(),
            "outcome": attempt.outcome,
            "reason": attempt.reason,
        }
        for attempt in attempts
    ]
    if as_json:
        typer.echo(json.dumps({**job_json(job), "attempts": tries, "job": document}))
        return
    typer.echo(f"job {job.ticket.id}: {job.state}")
    label = job.ticket.label and f", label {job.ticket.label}"
    typer.echo(f"{job.ticket.kind} on {job.ticket.target}: {job.workloads} workloads{label}")
    for one in tries:
        outcome = one["outcome"] or "open"
        typer.echo(
            f"  attempt {one['number']} by {one['worker']} at {one['started_at']}: {outcome} {one['reason']}".rstrip()
        )
    if job.result is not None:
        typer.echo(f"result: {job.result.status} {job.result.reason}".rstrip())
        typer.echo(json.dumps(dict(job.result.summary)))


@jobs.command()
def cancel(
    job_id: Id,
    db: Db,
    running: Annotated[bool, typer.Option("--running", help="Stop it if a worker has it already.")] = False,
    as_json: Json = False,
) -> None:
    """Cancel a job that waits; with --running also one at work. What it has measured stays stored."""
    with opened(db) as (queue, _):
        job = queue.job(job_id)
        done = queue.cancel(job, running=running)
    if as_json:
        typer.echo(json.dumps({"id": job.ticket.id, "cancelled": done}))
    elif done:
        typer.echo(f"job {job.ticket.id[:SHORT_ID]}: cancelled" + (", as soon as its worker stops" if running else ""))
    else:
        state = job.state
        typer.echo(
            f"job {job.ticket.id[:SHORT_ID]}: not cancelled: it is {state}"
            + ("; --running stops it" if state == "running" and not running else "")
        )
    if not done:
        raise typer.Exit(1)


@jobs.command()
def prune(
    db: Db,
    days: Annotated[int, typer.Option(min=0, help="Closed at least so long ago.")] = 90,
    as_json: Json = False,
) -> None:
    """Forget jobs that were closed long ago; their attempts and results stay in the database."""
    with opened(db) as (queue, _):
        forgotten = queue.prune(days)
    typer.echo(json.dumps({"forgotten": forgotten}) if as_json else f"{forgotten} jobs forgotten")


@enqueue.command()
@with_settings
def operators(
    settings: ArchitectureDefaults,
    db: Db,
    target: TargetName,
    depth: Depth = DEFAULT_DEPTH,
    per_job: PerJob = PER_JOB,
    seed: Seed = 0,
    budget_s: Budget = None,
    label: Label = "",
    priority: Priority = 0,
    as_json: Json = False,
) -> None:
    """Enqueue every distinct operator of a space at one input size."""
    parts = list(operator_parts(SearchSpace(name=settings.space, depth=depth), settings))
    where, options = parse_target(target), JobOptions(seed=seed, budget_s=budget_s, repeats=None)
    made = [
        Job("operators", where, parts=tuple(parts[start : start + per_job]), label=label, options=options)
        for start in range(0, len(parts), per_job)
    ]
    _put_and_print(made, db, priority, as_json=as_json)


@enqueue.command()
@with_settings
def networks(
    settings: ArchitectureDefaults,
    db: Db,
    target: TargetName,
    files: Annotated[
        list[str] | None, typer.Option("--from", metavar="FILE|-", help="Exactly the networks of this file.")
    ] = None,
    chosen: Annotated[bool, typer.Option("--chosen", help="A search chose the networks of --from.")] = False,
    count: Annotated[int, typer.Option(min=1, help="Networks to sample.")] = DEFAULT_COUNT,
    depth: Depth = DEFAULT_DEPTH,
    per_job: PerJob = PER_JOB,
    seed: Seed = 0,
    budget_s: Budget = None,
    label: Label = "",
    priority: Priority = 0,
    as_json: Json = False,
) -> None:
    """Enqueue whole networks: those of --from, or a sample of prefix trees that covers the space evenly."""
    if chosen and not files:
        raise typer.BadParameter("--chosen is about the networks of --from; a sample is drawn at random")
    drawn: Sequence[Architecture]
    if files:
        drawn = list({n.key: n for name in files for n in read_architectures(name, settings)}.values())
    else:
        space = SearchSpace(name=settings.space, depth=depth)
        drawn = sample_structured(space, np.random.default_rng(seed), count, settings)
    where, options = parse_target(target), JobOptions(seed=seed, budget_s=budget_s, repeats=None)
    made = [
        Job(
            CHOSEN if chosen else "networks",
            where,
            networks=tuple(drawn[start : start + per_job]),
            label=label,
            options=options,
        )
        for start in range(0, len(drawn), per_job)
    ]
    _put_and_print(made, db, priority, as_json=as_json)


def put(made: Sequence[Job], db: str, *, priority: int = 0) -> tuple[Enqueued, ...]:
    """Put jobs into the queue; those that are there, or done, do not enter again."""
    with opened(db) as (queue, _):
        return tuple(queue.enqueue(job, priority=priority) for job in made)


def _put_and_print(made: Sequence[Job], db: str, priority: int, *, as_json: bool) -> None:
    entered = put(made, db, priority=priority)
    if as_json:
        typer.echo(json.dumps({"jobs": [dataclasses.asdict(one) for one in entered]}))
        return
    for one, job in zip(entered, made, strict=True):
        typer.echo(_line(one, job))


def _line(one: Enqueued, job: Job) -> str:
    known = "" if one.new else "; an equal job was there before (--label makes another)"
    return f"job {one.id[:SHORT_ID]}: {job.workloads} workloads, {one.state}{known}"


def job_json(job: ListedJob) -> dict[str, Any]:
    """A job as commands print it."""
    result = job.result
    return {
        "id": job.ticket.id,
        "target": job.ticket.target.name,
        "kind": job.ticket.kind,
        "label": job.ticket.label,
        "state": job.state,
        "tries": job.tries,
        "workloads": job.workloads,
        "result": result
        and {
            "status": result.status,
            "reason": result.reason,
            "attempts": result.attempts,
            "finished_at": result.finished_at.isoformat(),
            "summary": dict(result.summary),
        },
    }


def _states(given: Sequence[str]) -> tuple[State, ...]:
    from profiler.fleet.queue import STATES

    for state in given:
        if state not in STATES:
            raise InvalidInput("--state", state, ", ".join(STATES))
    return cast("tuple[State, ...]", tuple(given)) or STATES
