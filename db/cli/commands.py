"""The commands of this package, and the formats that ``hyctas import`` reads: one file and one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import typer

from db.cli.import_csv import import_csv
from db.cli.import_fasterseg import import_fasterseg_table
from db.cli.measurements import list_measurements
from db.cli.transfer import export_measurements, import_measurements

FORMATS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "csv": import_csv,
        "fasterseg-table": import_fasterseg_table,
    }
)
"""Commands of ``hyctas import`` by their name."""


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    measurements = typer.Typer()
    measurements.callback(invoke_without_command=True)(list_measurements)
    measurements.command("export")(export_measurements)
    measurements.command("import")(import_measurements)
    app.add_typer(measurements, name="measurements", help="List measurements; export and import them.")
    importing = typer.Typer(no_args_is_help=True)
    importing.callback()(_no_options)
    for name, command in FORMATS.items():
        importing.command(name)(command)
    app.add_typer(importing, name="import", help="Take in what others measured.")


def _no_options() -> None:
    """Keep ``hyctas import`` a group even while it knows a single format."""
