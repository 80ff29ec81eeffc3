"""``hyctas measurements`` without a further command: what was measured, filtered, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from db.columns import as_utc
from db.engine import DEFAULT_URL
from db.measurement_json import measurement_to_json
from db.option import Db
from db.records import MeasurementFilter, MeasurementRow
from db.repository import Repository
from hyctas.errors import InvalidInput

TABLE_LIMIT: Final = 50
TABLE_WIDTH: Final = 170
CSV_COLUMNS: Final = (
    *("id", "run_id", "target", "kind", "operator", "height", "width", "c_in", "c_out", "stride", "status"),
    *("latency_ms", "marginal_ms", "wall_ms", "half_width", "normaliser", "calibration_version", "metric"),
    *("protocol_version", "purpose", "process_id", "failure_kind", "failure_message", "created_at"),
    *("workload_key", "architecture_key"),
)
_PAGE: Final = 1000


class Kind(StrEnum):
    """What was measured."""

    operator = "operator"
    network = "network"


class MeasuredStatus(StrEnum):
    """How it ended."""

    ok = "ok"
    unstable = "unstable"
    failed = "failed"


def list_measurements(
    ctx: typer.Context,
    db: Db = DEFAULT_URL,
    target: Annotated[str | None, typer.Option(help="Name of the target; without the device if one has it.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Operators or whole networks.")] = None,
    operator: Annotated[str | None, typer.Option(help="Kind of operator, such as conv or sa.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Rows of the input map.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Columns of the input map.")] = None,
    c_in: Annotated[int | None, typer.Option(min=1, help="Input channels.")] = None,
    c_out: Annotated[int | None, typer.Option(min=1, help="Output channels.")] = None,
    stride: Annotated[int | None, typer.Option(min=1, help="Stride of the operator.")] = None,
    status: Annotated[MeasuredStatus | None, typer.Option(help="How the measurement ended.")] = None,
    since: Annotated[str | None, typer.Option(help="Stored then or later: 2026-01-31, 2026-01-31T12:00 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Stored then or earlier; a date includes its whole day.")] = None,
    run: Annotated[int | None, typer.Option(min=1, help="Number of the run.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Newest so many; {TABLE_LIMIT} in a table, else all.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List measurements, newest first, as a table, CSV or JSON; or export and import them."""
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    if as_csv and as_json:
        raise typer.BadParameter("give either --csv or --json")
    with Repository.open(db, create=False) as repository:
        wanted = MeasurementFilter(
            target=None if target is None else repository.target_named(target),
            kind=None if kind is None else kind.value,
            operator=operator,
            height=height,
            width=width,
            c_in=c_in,
            c_out=c_out,
            stride=stride,
            since=moment("--since", since),
            until=moment("--until", until, end_of_day=True),
            status=None if status is None else status.value,
            run_id=run,
        )
        shown = limit if as_csv or as_json else limit or TABLE_LIMIT
        rows = list(_newest(repository, wanted, shown))
        total = repository.count(wanted)
    if as_json:
        typer.echo(json.dumps({"total": total, "measurements": [measurement_to_json(row) for row in rows]}))
    elif as_csv:
        typer.echo(_csv(rows), nl=False)
    else:
        _print_table(rows, total)


def _refuse_options(ctx: typer.Context) -> None:
    """Options before ``export`` or ``import`` would be for the list, and do nothing."""
    for name, parameter in ((parameter.name or "", parameter) for parameter in ctx.command.params):
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = parameter.opts[0]
            raise typer.BadParameter(f"{option} goes after {ctx.invoked_subcommand}, where that has it")


def _newest(repository: Repository, wanted: MeasurementFilter, limit: int | None) -> Iterator[MeasurementRow]:
    after_id, left = 0, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        page = repository.measurements(wanted, limit=size, after_id=after_id, order="newest")
        yield from page
        if len(page) < size:
            return
        after_id, left = page[-1].id, None if left is None else left - size


def moment(option: str, text: str | None, *, end_of_day: bool = False) -> datetime | None:
    """The time that an option says, in UTC.

    Raises:
        InvalidInput: It is none.
    """
    if text is None:
        return None
    try:
        found = as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidInput(option, text, "a date or time such as 2026-01-31 or 2026-01-31T12:00") from None
    is_date = len(text) <= len("2026-01-31")
    return found + timedelta(days=1, microseconds=-1) if end_of_day and is_date else found


def _csv(rows: Sequence[MeasurementRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(measurement_to_json(row) for row in rows)
    return text.getvalue()


def _print_table(rows: Sequence[MeasurementRow], total: int) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_WIDTH)
    table = Table(
        "id", "target", "operator", "input", "channels", "stride", "latency ms", "± %", "status", "when (UTC)"
    )
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(f"{len(rows)} of {total} measurements", highlight=False)


def _cells(row: MeasurementRow) -> tuple[str, ...]:
    status = f"failed: {row.failure_kind}" if row.status == "failed" and row.failure_kind else row.status
    return (
        str(row.id),
        row.target.name,
        row.operator,
        f"{row.height}x{row.width}",
        f"{row.c_in} → {row.c_out}",
        _shown(row.stride, ""),
        _shown(None if row.latency_s is None else row.latency_s * 1000, ".4g"),
        _shown(None if row.half_width is None else row.half_width * 100, ".2f"),
        status,
        row.created_at.strftime("%Y-%m-%d %H:%M"),
    )


def _shown(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
