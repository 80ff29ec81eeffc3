"""``hyctas measurements export`` and ``import``: sharing measurements between databases."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from db.cli.measurements import moment
from db.engine import DEFAULT_URL
from db.option import Db
from db.repository import Repository
from db.transfer.values import ExportFilter, MergeOutcome

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def export_measurements(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; a name that ends in .gz compresses.")],
    target: Annotated[list[str] | None, typer.Option("--target", help="Only of this target. May be repeated.")] = None,
    since: Annotated[str | None, typer.Option(help="Only stored then or later: 2026-01-31, 2026-01-31T12:00.")] = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Write measurements with their raw samples, and all that they refer to, for another database to import."""
    with Repository.open(db, create=False) as repository:
        targets = tuple(repository.target_named(name) for name in target or ())
        wanted = ExportFilter(targets, moment("--since", since))
        with _status(f"writing {file}"):
            counts = repository.export_measurements(file, wanted)
    if as_json:
        typer.echo(json.dumps({"file": str(file), "records": dict(counts)}))
    else:
        typer.echo(f"{file}: {_listed(counts)}")


def import_measurements(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What export wrote.")],
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Merge the measurements of another database: each once, with where it came from. All of it or nothing."""
    with Repository.open(db) as repository, _status(f"merging {file}"):
        outcome = repository.merge_measurements(file)
    typer.echo(json.dumps(_document(file, outcome)) if as_json else _text(file, outcome))


def _document(file: Path, outcome: MergeOutcome) -> dict[str, object]:
    return {
        "file": str(file),
        "read": dict(outcome.read),
        "added": dict(outcome.added),
        "repeats": outcome.repeats,
        "demoted": outcome.demoted,
    }


def _text(file: Path, outcome: MergeOutcome) -> str:
    known = outcome.read.get("measurement", 0) - outcome.added.get("measurement", 0)
    return (
        f"{file}: added {_listed(outcome.added)}; {known} measurements were here already; "
        f"{outcome.repeats} kept as repeats, {outcome.demoted} of this database became repeats of earlier ones"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items()) or "nothing"


def _status(text: str) -> Status:
    return Console(stderr=True, quiet=not sys.stderr.isatty()).status(text)
