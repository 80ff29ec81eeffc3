"""The ASGI route of ``POST /predict``, mounted in front of the framework, which alone would halve the rate."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from api.answering import Answerer
from api.asgi import JSON, Message, Receive, Scope, Send, send_body, send_problem
from api.faults import problem_of
from api.problem import ProblemError, invalid, plain
from api.settings import Settings
from hyctas.errors import InvalidInput

LONG_BODY_BYTES: Final = 512 * 2**10
"""Longer bodies are answered in a thread, so that they do not hold up short ones and health checks."""
LONG_BREAKDOWN_BYTES: Final = 16 * 2**10
"""The same where a breakdown is wanted, which takes many times as long."""


class PredictRoute:
    """Reads the body, lets the answerer work, writes the answer or a problem.

    Args:
        answerer: Turns bodies into answers.
        settings: Limits.
    """

    def __init__(self, answerer: Answerer, settings: Settings) -> None:
        self._answerer = answerer
        self._settings = settings
        self._in_flight = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="long-predict")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            answer = await self._admitted(scope, receive)
        except Exception as error:
            await send_problem(send, problem_of(error), retry_after_s=self._settings.retry_after_s)
        else:
            await send_body(send, HTTPStatus.OK, answer, JSON)

    def close(self) -> None:
        """End the thread once its work is done."""
        self._thread.shutdown()

    async def _admitted(self, scope: Scope, receive: Receive) -> bytes:
        """The answer, if not too many are worked on; a connection counts once its body begins to arrive."""
        if scope["method"] != "POST":
            raise ProblemError(plain(HTTPStatus.METHOD_NOT_ALLOWED, f"{scope['method']} /predict: use POST"))
        first = await receive()
        if self._in_flight >= self._settings.max_in_flight:
            raise ProblemError(plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again shortly"))
        self._in_flight += 1
        try:
            body = await self._whole_body(first, receive) if first.get("more_body") else first.get("body", b"")
            return await self._answer(body, breakdown=_wants_breakdown(scope["query_string"]))
        finally:
            self._in_flight -= 1

    async def _answer(self, body: bytes, *, breakdown: bool) -> bytes:
        self._check_length(len(body))
        if len(body) <= (LONG_BREAKDOWN_BYTES if breakdown else LONG_BODY_BYTES):
            return self._answerer.answer(body, breakdown=breakdown)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._answerer.answer(body, breakdown=breakdown))

    async def _whole_body(self, first: Message, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                return await self._joined(first, receive)
        except TimeoutError:
            late = f"the body did not arrive within {self._settings.body_timeout_s:g} s"
            raise ProblemError(plain(HTTPStatus.REQUEST_TIMEOUT, late)) from None

    async def _joined(self, first: Message, receive: Receive) -> bytes:
        chunks, size, message = [first.get("body", b"")], len(first.get("body", b"")), first
        while message.get("more_body"):
            self._check_length(size)
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(plain(HTTPStatus.BAD_REQUEST, "the connection ended within the body"))
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        return b"".join(chunks)

    def _check_length(self, size: int) -> None:
        if size > self._settings.max_body_bytes:
            limit = f"the body is longer than {self._settings.max_body_bytes} bytes; send smaller batches"
            raise ProblemError(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, limit))


def _wants_breakdown(query: bytes) -> bool:
    """Whether the query asks for a breakdown: ``breakdown=true`` (or 1).

    Raises:
        ProblemError: The parameter has another value.
    """
    if not query:
        return False
    value = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("breakdown", ["false"])[-1]
    if value.lower() not in ("true", "false", "1", "0"):
        raise ProblemError(invalid(InvalidInput("query.breakdown", value, "true or false")))
    return value.lower() in ("true", "1")
