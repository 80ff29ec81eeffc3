"""``hyctas nightly``: measure, compare with earlier nights, report what got slower."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from db.repository import Repository
from hyctas.errors import InvalidTarget
from profiler.cli.nightly_bench import LocalBench
from profiler.cli.nightly_records import NIGHT, NightRecords
from profiler.device import LocalMachine
from profiler.nightly.canaries import choose_canaries
from profiler.nightly.config import NightConfig, TargetConfig, read_config
from profiler.nightly.night import NightRun, NightTarget
from profiler.nightly.page import night_page
from profiler.nightly.report import NightReport, report_json
from profiler.nightly.words import described
from profiler.versions import own_version

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
        str | None, typer.Option("--db", envvar="HYCTAS_DB", show_envvar=True, help="Database, instead of the file's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Measure canaries and whatever is missing, stale or unstable, and compare with earlier nights.

    Exit code 0 after a quiet night, 3 after one with a regression, 1 after a failure. A night that was cut short goes
    on where it stopped; one that is done is reported again.
    """
    config = read_config(config_file)
    config = replace(config, database=db or config.database)
    label = label or datetime.now().astimezone().date().isoformat()
    with Repository.open(config.database) as repository:
        repository.mark_interrupted()
        records = NightRecords(repository, label, config.judging.window)
        document = records.finished_report() or _night(repository, records, config, config.database)
    typer.echo(json.dumps(document) if as_json else described(document))
    if code := EXITS[document["state"]]:
        raise typer.Exit(code)


def _night(repository: Repository, records: NightRecords, config: NightConfig, db: str) -> Mapping[str, Any]:
    machine = LocalMachine(os.environ)
    targets = [_target(machine, each) for each in config.targets]
    began_at, began_s = datetime.now(UTC), time.monotonic()
    run_id = repository.start_run(NIGHT, None, {"night": records.label, "targets": [t.target.name for t in targets]})
    bench = LocalBench(repository, records, machine, config, db, Console(stderr=True))
    run = NightRun(records.label, targets, config, bench, records)
    found = run.run()
    report = NightReport(
        night=records.label,
        began_at=began_at.isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began_s, 1),
        false_alarms=config.judging.false_alarms,
        targets=found,
        waiting=run.waiting,
        version=own_version().get("hyctas", ""),
    )
    document = report_json(report)
    config.reports.mkdir(parents=True, exist_ok=True)
    (config.reports / f"{records.label}.json").write_text(json.dumps(document, indent=1) + "\n")
    (config.reports / f"{records.label}.html").write_text(night_page(document))
    repository.finish_run(run_id, document)
    return document


def _target(machine: LocalMachine, config: TargetConfig) -> NightTarget:
    """A target of this machine with its canaries.

    Raises:
        InvalidTarget: It is another machine's.
    """
    target = machine.target(config.name)
    if not machine.is_here(target):
        own = " or ".join(filter(None, (machine.cpu, machine.gpu)))
        raise InvalidTarget(
            "targets", config.name, f"a target of this machine, {own}; --enqueue lets workers of a fleet measure others"
        )
    canaries = choose_canaries(
        config.settings,
        operators=config.canaries.operators,
        networks=config.canaries.networks,
        depth=config.depth,
        seed=config.seed,
    )
    return NightTarget(target, config, canaries)
