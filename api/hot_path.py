"""The ASGI route of ``POST /predict``, mounted in front of the framework, which alone would halve the rate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from api.access import Access
from api.answering import Answerer
from api.problem import MEDIA_TYPE, Problem, ProblemError, not_found, plain
from api.settings import Settings
from hyctas.errors import ArtifactError, NotFound

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LONG_BODY_BYTES: Final = 512 * 2**10
"""Longer bodies are answered in a thread, so that they do not hold up short ones and health checks."""
_JSON: Final = (b"content-type", b"application/json")
_log: Final = logging.getLogger(__name__)


class PredictRoute:
    """Reads the body, lets the answerer work, writes the answer or a problem."""

    def __init__(self, answerer: Answerer, access: Access, settings: Settings) -> None:
        self._answerer = answerer
        self._access = access
        self._settings = settings
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        self._in_flight += 1
        try:
            answer = await self._answer(scope, receive)
        except ProblemError as error:
            await send_problem(send, error.problem, self._settings)
        except NotFound as error:
            await send_problem(send, not_found(error), self._settings)
        except ArtifactError as error:
            _log.error("a model cannot be served: %s", error)
            await send_problem(send, plain(HTTPStatus.SERVICE_UNAVAILABLE, str(error)), self._settings)
        except Exception:
            _log.exception("prediction failed")
            problem = plain(HTTPStatus.INTERNAL_SERVER_ERROR, "the server made a mistake; its log says which")
            await send_problem(send, problem, self._settings)
        else:
            await _send(send, HTTPStatus.OK, answer, [_JSON])
        finally:
            self._in_flight -= 1

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if self._in_flight > self._settings.max_in_flight:
            raise ProblemError(plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again shortly"))
        self._access.check(scope)
        body = await self._body(receive)
        breakdown = _wants_breakdown(scope["query_string"])
        if len(body) <= LONG_BODY_BYTES:
            return self._answerer.answer(body, breakdown=breakdown)
        return await asyncio.to_thread(self._answerer.answer, body, breakdown=breakdown)

    async def _body(self, receive: Receive) -> bytes:
        """The whole body, up to the limit."""
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body") and len(body) <= self._settings.max_body_bytes:
            return body
        chunks, size = [body], len(body)
        while message.get("more_body") and size <= self._settings.max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(plain(HTTPStatus.BAD_REQUEST, "the connection ended within the body"))
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > self._settings.max_body_bytes:
            limit = f"the body is longer than {self._settings.max_body_bytes} bytes; send smaller batches"
            raise ProblemError(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, limit))
        return b"".join(chunks)


async def send_problem(send: Send, problem: Problem, settings: Settings) -> None:
    """Write a problem document."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", str(settings.retry_after_s).encode()))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await _send(send, problem.status, msgspec.json.encode(problem), headers)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": int(status), "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _wants_breakdown(query: bytes) -> bool:
    """Whether the query asks for a breakdown: ``breakdown=true`` (or 1).

    Raises:
        ProblemError: The parameter has another value.
    """
    if not query:
        return False
    from urllib.parse import parse_qs

    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("breakdown", ["false"])
    if values[-1].lower() not in ("true", "false", "1", "0"):
        problem = Problem("invalid input", HTTPStatus.UNPROCESSABLE_ENTITY, "breakdown is neither true nor false")
        raise ProblemError(problem)
    return values[-1].lower() in ("true", "1")
