"""``hyctas nightly``: measure, compare with earlier nights, report what got slower."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from db.option import DATABASE_VARIABLE
from db.repository import Repository
from profiler.cli.nightly_call import NightCall
from profiler.device import LocalMachine
from profiler.nightly.config_file import read_config
from profiler.nightly.words import described

EXIT_REGRESSION: Final = 3
EXIT_FAILURE: Final = 1
EXITS: Final[Mapping[str, int]] = {"quiet": 0, "waiting": 0, "regression": EXIT_REGRESSION, "failure": EXIT_FAILURE}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("nightly")(nightly)


def nightly(
    config_file: Annotated[Path, typer.Option("--config", metavar="FILE", help="What a night does (TOML).")],
    label: Annotated[
        str | None, typer.Option("--night", help="Label of the night; today's date unless given. A label is done once.")
    ] = None,
    db: Annotated[
        str | None,
        typer.Option("--db", envvar=DATABASE_VARIABLE, show_envvar=True, help="Database, instead of the file's."),
    ] = None,
    enqueue: Annotated[
        bool, typer.Option("--enqueue", help="Let the workers of a fleet measure; needs PostgreSQL.")
    ] = False,
    wait_minutes: Annotated[
        float, typer.Option("--wait", min=0.0, help="With --enqueue, minutes to wait for the workers.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Measure canaries and whatever is missing, stale or unstable, and compare with earlier nights.

    Exit code 0 after a quiet night, 3 after one with a regression, 1 after a failure. A night that was cut short goes
    on where it stopped; one that is done is reported again. With --enqueue the first call fills the queue, and later
    ones judge what workers have measured.
    """
    if wait_minutes and not enqueue:
        raise typer.BadParameter("--wait is for the workers of --enqueue")
    config = read_config(config_file)
    config = replace(config, database=db or config.database)
    label = label or datetime.now().astimezone().date().isoformat()
    with Repository.open(config.database) as repository:
        repository.mark_interrupted()
        machine = LocalMachine(os.environ)
        call = NightCall(repository, machine, config, label, enqueue=enqueue, wait_s=60.0 * wait_minutes)
        document = call.report()
    typer.echo(json.dumps(document) if as_json else described(document))
    if code := EXITS[document["state"]]:
        raise typer.Exit(code)
