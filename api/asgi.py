"""The few words of ASGI that the hot path and the front speak themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from api.problem import MEDIA_TYPE, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
_PROBLEM: Final[Header] = (b"content-type", MEDIA_TYPE.encode())


async def send_body(send: Send, status: int, body: bytes, *headers: Header) -> None:
    """Send a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": int(status), "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem, *, retry_after_s: int) -> None:
    """Send a problem document, with the headers that its status asks for."""
    headers = problem_headers(problem.status, retry_after_s=retry_after_s)
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send_body(send, problem.status, msgspec.json.encode(problem), _PROBLEM, *encoded)


def problem_headers(status: int, *, retry_after_s: int) -> dict[str, str]:
    """Headers that go with a status: when to come back, how to say who asks, which method to use."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"retry-after": str(retry_after_s)}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    return {"allow": "POST"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
