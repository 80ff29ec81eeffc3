"""The commands of this package, and the formats that ``hyctas import`` reads: one file and one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import typer

from db.cli.import_csv import import_csv
from db.cli.measurements import measurements

FORMATS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "csv": import_csv,
    }
)
"""Commands of ``hyctas import`` by their name."""


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.command("measurements")(measurements)
    importing = typer.Typer(no_args_is_help=True)
    importing.callback()(_no_options)
    for name, command in FORMATS.items():
        importing.command(name)(command)
    app.add_typer(importing, name="import", help="Take in what others measured.")


def _no_options() -> None:
    """Keep ``hyctas import`` a group even while it knows a single format."""
