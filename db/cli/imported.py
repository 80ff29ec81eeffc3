"""What all commands of ``hyctas import`` share: options, and what they print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from db.importing.source import ImportOutcome
from hyctas.errors import InvalidInput
from hyctas.target import Target

NAMED: Final = 10
"""Rows that were not understood which a message names one by one."""

Table = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The table to read.")]
TargetName = Annotated[str, typer.Option("--target", help="Full name of what was measured: DEVICE/RUNTIME-PRECISION.")]
Source = Annotated[str | None, typer.Option("--source", help="Where the numbers are from, in words; kept with them.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out rows that are not understood, and name them, instead of failing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def refuse_bad(bad: Sequence[object], *, at: Path, skip: bool) -> None:
    """Name the rows that were not understood.

    Raises:
        InvalidInput: There are some, and they are not to be skipped.
    """
    if not bad:
        return
    named = "\n".join(f"  {row}" for row in bad[:NAMED])
    more = f"\n  and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    if not skip:
        raise InvalidInput(str(at), f"{len(bad)} bad row(s)", f"rows that can be read, or --skip-bad:\n{named}{more}")
    typer.echo(f"left out {len(bad)} row(s) of {at}:\n{named}{more}", err=True)


def print_outcome(target: Target, outcome: ImportOutcome, skipped: Sequence[object], *, as_json: bool) -> None:
    """Print what an import did."""
    document = {
        "run": outcome.run_id,
        "target": target.name,
        "added": outcome.added,
        "repeats": outcome.repeats,
        "known": outcome.known,
        "skipped": [str(row) for row in skipped],
    }
    text = (
        f"{target}: {outcome.added} added ({outcome.repeats} as repeats), {outcome.known} known, {len(skipped)} skipped"
    )
    typer.echo(json.dumps(document) if as_json else text)
