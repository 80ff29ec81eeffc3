"""Telling somebody: what is posted, what is tried again, and what is said when nobody could be told."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
import pytest

from hyctas.errors import InvalidInput
from profiler.nightly.config import WebhookConfig
from profiler.nightly.webhook import post, webhook_url

URL = "https://chat.example/hooks/secret"


def posted(statuses: Sequence[int]) -> tuple[str, list[httpx.Request], list[float]]:
    requests: list[httpx.Request] = []
    pauses: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(statuses[len(requests) - 1])

    transport = httpx.MockTransport(answer)
    problem = post(URL, {"state": "quiet"}, "all well", timeout_s=1.0, transport=transport, sleep=pauses.append)
    return problem, requests, pauses


def test_report_is_posted_with_its_words() -> None:
    problem, (request,), pauses = posted([204])
    assert (problem, pauses) == ("", [])
    assert json.loads(request.content) == {"text": "all well", "state": "quiet"}


def test_server_that_is_away_is_tried_again() -> None:
    problem, requests, pauses = posted([503, 429, 200])
    assert (problem, len(requests), pauses) == ("", 3, [1.0, 2.0])


@pytest.mark.parametrize(("statuses", "tries"), [([500, 502, 503], 3), ([404], 1)], ids=["away", "refused"])
def test_failure_is_said_without_the_secret(statuses: Sequence[int], tries: int) -> None:
    problem, requests, _ = posted(statuses)
    assert problem == f"webhook at https://chat.example: status {statuses[-1]}"
    assert len(requests) == tries


def test_address_comes_from_the_file_or_from_the_environment() -> None:
    assert webhook_url(WebhookConfig(), {}) == ""
    assert webhook_url(WebhookConfig(url=URL), {}) == URL
    assert webhook_url(WebhookConfig(url_from="HOOK"), {"HOOK": URL}) == URL
    with pytest.raises(InvalidInput, match="HOOK"):
        webhook_url(WebhookConfig(url_from="HOOK"), {})
    with pytest.raises(InvalidInput, match="http://") as refused:
        webhook_url(WebhookConfig(url="ftp://host/secret"), {})
    assert "secret" not in str(refused.value)
