"""``hyctas import csv``: operators and networks that others measured, as a table."""

from __future__ import annotations

from typing import Annotated

import typer

from db.cli.imported import Json, SkipBad, Source, Table, TargetName, print_outcome, refuse_bad
from db.engine import DEFAULT_URL
from db.importing.csv_rows import read_rows
from db.importing.source import ImportSource, imported_facts
from db.option import Db
from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_options import with_settings
from hyctas.target import parse_target


@with_settings
def import_csv(
    settings: ArchitectureDefaults,
    file: Table,
    target: TargetName,
    source: Source = None,
    chosen: Annotated[
        bool, typer.Option("--chosen", help="A search chose the networks: they never calibrate predictions.")
    ] = False,
    skip_bad: SkipBad = False,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Take in operators and networks that others measured; docs/importing.md describes the columns.

    All rows are stored or none is. Rows that are stored already change nothing.
    """
    measured_on, content = parse_target(target), file.read_bytes()
    rows = read_rows(content, settings, folder=file.parent, at=str(file))
    refuse_bad(rows.bad, at=file, skip=skip_bad)
    import_source = ImportSource(
        measured_on,
        format="csv",
        facts=imported_facts(content, source, {}),
        arguments={"file": file.name, "source": source, "skipped": len(rows.bad)},
        chosen=chosen,
    )
    with Repository.open(db) as repository:
        outcome = repository.import_latencies(import_source, rows.latencies)
    print_outcome(measured_on, outcome, rows.bad, as_json=as_json)
