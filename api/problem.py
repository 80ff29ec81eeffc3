"""Errors over HTTP: ``application/problem+json`` (RFC 9457), with the JSON path of what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from hyctas.errors import InvalidInput, NotFound

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN_CHARACTERS: Final = 200


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document.

    Attributes:
        title: The kind of problem, the same for each of its kind.
        status: HTTP status.
        detail: What was wrong, and how to mend it.
        path: JSON path of the offending value.
        value: The offending value, shortened; in words if it is no plain JSON value.
        allowed: What would have been accepted.
        known: The names that exist, where an unknown one was asked for.
    """

    title: str
    status: int
    detail: str
    path: str | None = None
    value: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    allowed: str | None = None
    known: Sequence[str] | None = None


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


def invalid(error: InvalidInput, *, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> Problem:
    """The problem of a value that is not allowed."""
    return Problem(
        "invalid input", status, str(error), path=error.path, value=_shown(error.value), allowed=error.allowed
    )


def not_found(error: NotFound) -> Problem:
    """The problem of a name that nothing answers to; lists the names that exist."""
    return Problem(f"unknown {error.what}", HTTPStatus.NOT_FOUND, str(error), known=error.known)


def plain(status: HTTPStatus, detail: str) -> Problem:
    """A problem with nothing but a status and an explanation."""
    return Problem(status.phrase.lower(), status, detail)


def as_json(problem: Problem) -> dict[str, Any]:
    """The problem as a JSON object."""
    document: dict[str, Any] = msgspec.to_builtins(problem)
    return document


def _shown(value: object) -> str | int | float | bool | None:
    """The value if JSON can hold it and it is short, else what fits of its text."""
    if value is None or isinstance(value, bool | float | int):
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()
