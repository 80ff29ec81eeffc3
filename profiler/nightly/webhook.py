"""Telling somebody how a night ended: its JSON, posted to a URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from hyctas.errors import InvalidInput
from profiler.nightly.config import WebhookConfig

TRIES: Final = 3
PAUSE_S: Final = 1.0


def webhook_url(config: WebhookConfig, environment: Mapping[str, str]) -> str:
    """Where the report goes; empty for nowhere.

    Raises:
        InvalidInput: The variable that should hold it is not set, or it is no URL.
    """
    url = config.url
    if config.url_from:
        url = environment.get(config.url_from, "")
        if not url:
            raise InvalidInput("webhook.url_from", config.url_from, "an environment variable that holds a URL")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise InvalidInput("webhook.url", _without_secrets(url), "an address that begins with http:// or https://")
    return url


def post(
    url: str,
    report: Mapping[str, Any],
    text: str,
    *,
    timeout_s: float,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Post a report, with its words as ``text`` (which chat services show); three tries.

    Returns:
        Empty, or what went wrong, without the address's path, which may be a secret.
    """
    problem = ""
    with httpx.Client(transport=transport, timeout=timeout_s) as client:
        for number in range(TRIES):
            if number:
                sleep(PAUSE_S * 2 ** (number - 1))
            try:
                answer = client.post(url, json={"text": text, **report})
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if answer.is_success:
                return ""
            problem = f"status {answer.status_code}"
            if answer.status_code < 500 and answer.status_code != 429:
                break
    return f"webhook at {_without_secrets(url)}: {problem}"


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}"
