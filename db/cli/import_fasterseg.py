"""``hyctas import fasterseg-table``: operators that FasterSeg's release measured with TensorRT."""

from __future__ import annotations

from db.cli.imported import Json, SkipBad, Source, Table, TargetName, print_outcome, refuse_bad
from db.engine import DEFAULT_URL
from db.importing.fasterseg_table import PUBLISHED_SOURCE, check_target, read_latency_table
from db.importing.source import ImportSource, imported_facts
from db.option import Db
from db.repository import Repository
from hyctas.target import parse_target


def import_fasterseg_table(
    file: Table,
    target: TargetName = "gtx-1080-ti/tensorrt-fp32",
    source: Source = None,
    skip_bad: SkipBad = False,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Take in the latency table of FasterSeg's release: latency_lookup_table.npy, or the same as JSON.

    Nothing that the NumPy file says is executed. All entries are stored or none is, each under its key, also where two
    keys name the same work; entries that are stored already change nothing.
    """
    measured_on, content = parse_target(target), file.read_bytes()
    table = read_latency_table(content, at=str(file))
    check_target(table, measured_on)
    refuse_bad(table.bad, at=file, skip=skip_bad)
    told = source or (PUBLISHED_SOURCE if table.published else None)
    import_source = ImportSource(
        measured_on,
        format="fasterseg-table",
        facts=imported_facts(content, told, table.facts),
        arguments={"file": file.name, "source": told, "skipped": [entry.key for entry in table.bad]},
    )
    with Repository.open(db) as repository:
        outcome = repository.import_latencies(import_source, table.latencies)
    print_outcome(measured_on, outcome, table.bad, as_json=as_json)
