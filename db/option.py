"""The option ``--db``, which all commands that touch the database share, and how another command is told the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from db.engine import parse_url

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


def same_database(url: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Words that tell a command to use that database; none where the environment, which it inherits, does so."""
    return () if environment.get(DATABASE_VARIABLE) == url else ("--db", url)


def without_password(url: str) -> str:
    """The URL as messages show it.

    Raises:
        InvalidInput: It is not a URL of a database.
    """
    return parse_url(url).render_as_string(hide_password=True)


def shown_database(url: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The words of :func:`same_database` as messages show them, without a password."""
    return tuple(word if word == "--db" else without_password(word) for word in same_database(url, environment))
