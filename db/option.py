"""The option ``--db``, which all commands that touch the database share."""

from __future__ import annotations

from typing import Annotated, Final

import typer

DATABASE_VARIABLE: Final = "HYCTAS_DB"

Db = Annotated[
    str,
    typer.Option(
        "--db",
        envvar=DATABASE_VARIABLE,
        show_envvar=True,
        help="Database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. HYCTAS_DB_FILE: a file with it.",
    ),
]
