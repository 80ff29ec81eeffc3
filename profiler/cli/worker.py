"""``hyctas worker``: measure what a queue asks for, on the targets of this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from db.option import Db
from db.repository import Repository
from hyctas.errors import InvalidInput
from hyctas.target import Target
from profiler.device import LocalMachine
from profiler.fleet.address import fleet_url
from profiler.fleet.host_lock import lock_folder
from profiler.fleet.timing import FleetTiming

SIGN_OF_LIFE_VARIABLE: Final = "HYCTAS_SIGN_OF_LIFE"
JOB_PROCESS: Final = (sys.executable, "-P", "-m", "profiler.cli.run_job")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("worker")(worker)


def worker(
    db: Db,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="What to measure; the device may be left out. May be repeated.")
    ] = None,
    setup: Annotated[
        bool, typer.Option("--setup", help="Make or upgrade the tables of the database and of the queue, and end.")
    ] = False,
    grace_s: Annotated[
        float, typer.Option("--grace", min=0.0, help="Seconds for the job at work when told to stop (SIGTERM, Ctrl-C).")
    ] = FleetTiming().grace_s,
    max_failures: Annotated[
        int, typer.Option("--max-failures", min=1, help="Tries of a job that fails or loses its worker.")
    ] = FleetTiming().max_failures,
) -> None:
    """Take jobs from the queue of each target, one at a time, and store what they measure, until told to stop."""
    from profiler.fleet.queue_schema import prepare_queue

    url = fleet_url(db)
    with Repository.open(url) as repository:
        applied = prepare_queue(url)
        if setup:
            typer.echo(json.dumps({"queue": list(applied)}))
            return
        machine = LocalMachine(os.environ)
        targets = [machine.target(name) for name in target or ()]
        if not targets:
            raise InvalidInput("--target", None, "one or more targets of this machine; hyctas targets lists them")
        for each in targets:
            if not machine.is_here(each):
                raise InvalidInput("--target", each.name, f"a target of this machine, whose device is {machine.cpu}")
            repository.ensure_target(each, machine.facts(each))
        timing = FleetTiming(grace_s=grace_s, max_failures=max_failures)
        asyncio.run(serve(url, targets, repository, timing))


async def serve(
    url: str,
    targets: Sequence[Target],
    repository: Repository,
    timing: FleetTiming,
    command: Sequence[str] = JOB_PROCESS,
) -> None:
    """Work until SIGTERM or Ctrl-C; a second one hands the job back at once."""
    from profiler.fleet.worker import FleetWorker, WorkerSettings

    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    name = f"{socket.gethostname()}:{os.getpid()}"
    settings = WorkerSettings(
        url,
        tuple(targets),
        name,
        tuple(command),
        lock_folder(os.environ),
        timing,
        sign_of_life=sign_of_life(os.environ),
    )
    fleet_worker = FleetWorker(settings, repository)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, fleet_worker.stop)
    typer.echo(f"worker {name} serves {', '.join(map(str, targets))}", err=True)
    await fleet_worker.run()


def sign_of_life(environment: Mapping[str, str]) -> Path | None:
    """The file that a worker touches, if one is asked for.

    Raises:
        InvalidInput: It is in no folder that can be written.
    """
    given = environment.get(SIGN_OF_LIFE_VARIABLE)
    if not given:
        return None
    file = Path(given)
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise InvalidInput(SIGN_OF_LIFE_VARIABLE, given, "a file in a folder that can be written")
    return file
