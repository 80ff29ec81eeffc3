"""Retries and failures of the client, over a transport that does what the test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import httpx
import pytest

from hyctas.client import Client, Retries
from hyctas.client_retry import MAX_RETRY_AFTER_S, retry_after_s
from hyctas.errors import (
    ClientError,
    ConnectionFailed,
    InvalidArchitecture,
    InvalidInput,
    RequestRejected,
    ServerUnavailable,
    UnknownModel,
    UnknownTarget,
)

OK = httpx.Response(200, json={"targets": []})
BUSY = httpx.Response(503, json={"title": "service unavailable", "status": 503, "detail": "busy"})
LOST = httpx.ConnectError("refused")
Turn = httpx.Response | Exception


class Script(httpx.BaseTransport):
    """Answers with one turn after the other, and keeps the requests."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = list(turns)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return httpx.Response(turn.status_code, headers=turn.headers, content=turn.content)


def asking(*turns: Turn, retries: int = 4) -> tuple[Client, Script, list[float]]:
    script, slept = Script(turns), list[float]()
    policy = Retries(count=retries, rng=random.Random(1))
    return Client("http://server", transport=script, retries=policy, sleep=slept.append), script, slept


@pytest.mark.parametrize(
    "passing", [BUSY, LOST, httpx.ReadError("reset"), httpx.RemoteProtocolError("closed"), httpx.ConnectTimeout("late")]
)
def test_passing_failure_is_tried_again(passing: Turn) -> None:
    client, script, slept = asking(passing, passing, OK)
    assert client.targets() == ()
    assert (len(script.requests), len(slept)) == (3, 2)


@pytest.mark.parametrize(("passing", "raised"), [(BUSY, ServerUnavailable), (LOST, ConnectionFailed)])
def test_failure_that_stays_is_raised_after_all_retries(passing: Turn, raised: type[Exception]) -> None:
    client, script, slept = asking(*[passing] * 3, retries=2)
    with pytest.raises(raised, match="server"):
        client.targets()
    assert (len(script.requests), len(slept)) == (3, 2)


def test_no_answer_in_time_is_not_tried_again() -> None:
    client, script, _ = asking(httpx.ReadTimeout("slow"), OK)
    with pytest.raises(ConnectionFailed, match="slow"):
        client.targets()
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 405, 413, 422, 500, 502])
def test_other_failures_are_raised_at_once(status: int) -> None:
    client, script, _ = asking(httpx.Response(status, json={"title": "no", "status": status, "detail": "because"}), OK)
    with pytest.raises(RequestRejected) as raised:
        client.targets()
    assert (raised.value.status, raised.value.title, raised.value.detail) == (status, "no", "because")
    assert len(script.requests) == 1


def test_retry_after_is_waited_for_on_top() -> None:
    busy = httpx.Response(503, headers={"retry-after": "7"}, content=BUSY.content)
    client, _, slept = asking(busy, OK)
    client.targets()
    assert 7.0 <= slept[0] <= 7.1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("1e9", MAX_RETRY_AFTER_S), ("-1", 0.0), ("nan", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)],
)
def test_retry_after_reads_seconds_within_bounds(value: str, seconds: float) -> None:
    assert retry_after_s({"retry-after": value}) == seconds
    assert retry_after_s({}) == 0.0


def test_waits_double_up_to_the_longest_and_are_jittered() -> None:
    retries = Retries(count=8, first_s=0.1, longest_s=1.0, rng=random.Random(3))
    waits, bounds = list(retries.waits_s()), [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]
    assert all(0.0 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert waits != list(retries.waits_s())


@pytest.mark.parametrize("field", ["count", "first_s", "longest_s"])
def test_negative_retries_are_refused(field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        Retries(**{field: -1})


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://server", "http://", "http://host:port"])
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        Client(url)


def test_timeout_must_be_positive() -> None:
    with pytest.raises(InvalidInput, match="timeout_s"):
        Client("http://server", timeout_s=0.0)


@pytest.mark.parametrize(
    ("title", "ask", "raised"),
    [
        ("unknown target", lambda client: client.predict("nowhere", {}), UnknownTarget),
        ("unknown target", lambda client: client.models("nowhere"), UnknownTarget),
        ("unknown model", lambda client: client.predict("here", {}, model_id="nowhere"), UnknownModel),
    ],
)
def test_unknown_names_become_their_exceptions(
    title: str, ask: Callable[[Client], object], raised: type[UnknownTarget | UnknownModel]
) -> None:
    problem = {"title": title, "status": 404, "detail": "unknown", "known": ["a", "b"]}
    client, _, _ = asking(httpx.Response(404, json=problem))
    with pytest.raises(raised) as found:
        ask(client)
    assert (found.value.name, found.value.known) == ("nowhere", ("a", "b"))


def test_bad_architecture_is_told_with_its_own_path() -> None:
    problem = {"title": "invalid input", "status": 422, "detail": "no", "path": "$.architecture.head_width"}
    client, _, _ = asking(httpx.Response(422, json={**problem, "value": 5, "allowed": "4"}))
    with pytest.raises(InvalidArchitecture) as found:
        client.predict("here", {})
    assert (found.value.path, found.value.value, found.value.allowed) == ("$.head_width", 5, "4")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"targets": 3}'])
def test_answer_of_another_form_is_said_to_be_one(body: bytes) -> None:
    client, _, _ = asking(httpx.Response(200, content=body))
    with pytest.raises(ClientError, match="another form"):
        client.targets()


def test_failure_without_a_problem_document_keeps_what_it_says() -> None:
    client, _, _ = asking(httpx.Response(502, content=b"bad gateway here"))
    with pytest.raises(RequestRejected, match="502 Bad Gateway: bad gateway here"):
        client.targets()


def test_batch_with_answers_missing_is_noticed() -> None:
    client, _, _ = asking(httpx.Response(200, json={"predictions": []}))
    with pytest.raises(ClientError, match="0 architectures of 2"):
        list(client.predict_each("here", [{}, {}]))


def test_key_is_sent() -> None:
    script = Script([OK])
    with Client("http://server/under", transport=script, api_key="secret") as client:
        client.targets()
    assert script.requests[0].headers["authorization"] == "Bearer secret"
    assert script.requests[0].url.path == "/under/targets"
