"""Every failure behind the framework as a problem document."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.asgi import problem_headers
from api.problem import MEDIA_TYPE, Problem, ProblemError, as_json, invalid, not_found, plain
from hyctas.errors import ArtifactError, InvalidInput, NotFound, StorageError

MISTAKE: Final = "the server made a mistake; its log says which"
_log: Final = logging.getLogger(__name__)


def answer_with_problems(app: FastAPI, *, retry_after_s: int) -> None:
    """Make `app` answer with a problem document whatever goes wrong."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        ours = problem_headers(problem.status, retry_after_s=retry_after_s)
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else ours
        return JSONResponse(as_json(problem), problem.status, headers, MEDIA_TYPE)

    for kind in (ProblemError, RequestValidationError, HTTPException, NotFound, InvalidInput, StorageError, Exception):
        app.add_exception_handler(kind, answer)


def problem_of(error: Exception) -> Problem:
    """The problem to answer; what is the server's fault is logged."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, NotFound):
        return not_found(error)
    if isinstance(error, InvalidInput):
        return invalid(error)
    if isinstance(error, RequestValidationError):
        return _rejected(error.errors()[0])
    if isinstance(error, HTTPException):
        return plain(HTTPStatus(error.status_code), str(error.detail))
    if isinstance(error, StorageError | ArtifactError):
        _log.error("a request cannot be answered: %s", error)
        return plain(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    _log.error("a request failed", exc_info=error)
    return plain(HTTPStatus.INTERNAL_SERVER_ERROR, MISTAKE)


def _rejected(first: dict[str, Any]) -> Problem:
    """The problem of a parameter that does not validate; its path is ``query.limit`` and the like."""
    path = ".".join(map(str, first["loc"]))
    return invalid(InvalidInput(path, first.get("input"), str(first["msg"])))
