"""The front of the server: who may pass, where a request goes, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI

from api.access import Access
from api.asgi import App, Message, Receive, Scope, Send, send_problem
from api.problem import ProblemError
from api.telemetry import Telemetry

PREDICT: Final = "/predict"
OPEN_PATHS: Final = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
"""What needs no key: nothing that was measured or learned."""
UNMATCHED: Final = "unmatched"


class Front:
    """Sends ``/predict`` to the hot path and everything else to the framework.

    Args:
        predict: The hot path.
        framework: The FastAPI application behind all other paths; it also gets the lifespan.
        access: Checks keys.
        telemetry: Counts requests.
        retry_after_s: Part of every 503.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        predict: App,
        framework: FastAPI,
        *,
        access: Access,
        telemetry: Telemetry,
        retry_after_s: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._predict = predict
        self.framework = framework
        self._access = access
        self._telemetry = telemetry
        self._retry_after_s = retry_after_s
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection as an ASGI application does."""
        if scope["type"] != "http":
            await self.framework(scope, receive, send)
            return
        start, status = self._clock(), 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._passed_on(scope, receive, noting_status)
        finally:
            self._telemetry.request(_route(scope), status, self._clock() - start)

    def _passed_on(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path = scope["path"]
        if path not in OPEN_PATHS:
            try:
                self._access.check(scope)
            except ProblemError as error:
                return send_problem(send, error.problem, retry_after_s=self._retry_after_s)
        return (self._predict if path == PREDICT else self.framework)(scope, receive, send)


def _route(scope: Scope) -> str:
    """The template that matched; raw paths would make a counter for whatever a client types."""
    if scope["path"] == PREDICT:
        return PREDICT
    return getattr(scope.get("route"), "path", UNMATCHED)
