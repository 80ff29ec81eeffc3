"""The conversation behind one call, with retries, as a generator that both clients drive.

It yields what to do next (a call to send, or seconds to wait) and is sent what came of it, so the rules stand once
and do no input or output themselves.
"""

from __future__ import annotations

from collections.abc import Generator
from http import HTTPStatus

import httpx

from hyctas.client_retry import Retries, retry_after_s
from hyctas.client_wire import Call, failure
from hyctas.errors import ConnectionFailed

Step = Call | float
Outcome = httpx.Response | httpx.TransportError | None
Exchange = Generator[Step, Outcome, httpx.Response]


def exchange(call: Call, retries: Retries, *, url: str) -> Exchange:
    """Send `call` until it is answered.

    Raises:
        ConnectionFailed: The connection could not be made or broke, every time; or no answer came in time.
        ServerUnavailable: The server answered 503, every time.
        HyctasError: It answered another failure; see :func:`hyctas.client_wire.failure`.
    """
    waits_s = retries.waits_s()
    while True:
        outcome = yield call
        assert outcome is not None
        wait_s = next(waits_s, None) if _passing(outcome) else None
        if wait_s is None:
            return _answer(outcome, url)
        asked_s = retry_after_s(outcome.headers) if isinstance(outcome, httpx.Response) else 0.0
        yield wait_s + asked_s


def _passing(outcome: httpx.Response | httpx.TransportError) -> bool:
    """Whether the same call may well succeed later. All calls only read, so none does harm when sent twice."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return not isinstance(outcome, httpx.UnsupportedProtocol | httpx.ReadTimeout | httpx.WriteTimeout)


def _answer(outcome: httpx.Response | httpx.TransportError, url: str) -> httpx.Response:
    if isinstance(outcome, httpx.TransportError):
        reason = str(outcome) or type(outcome).__name__
        raise ConnectionFailed(f"no answer from {url} ({reason}); is 'hyctas serve' running there?") from outcome
    if not outcome.is_success:
        raise failure(outcome)
    return outcome
