"""How a client is set up."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final, TypedDict

import httpx

from hyctas.errors import InvalidInput

TIMEOUT_S: Final = 30.0
API_KEY_VARIABLE: Final = "HYCTAS_API_KEY"
"""Environment variable in which commands look for the key of a server that wants one."""


class HttpOptions(TypedDict):
    """Arguments that both kinds of httpx client take."""

    base_url: httpx.URL
    timeout: float
    headers: dict[str, str]


def http_options(url: str, *, timeout_s: float, api_key: str | None) -> HttpOptions:
    """Arguments of an httpx client.

    Raises:
        InvalidInput: The URL is not one of http or https, or the timeout is not positive.
    """
    if not timeout_s > 0:
        raise InvalidInput("timeout_s", timeout_s, "seconds above 0")
    headers = {"user-agent": f"hyctas/{version('hyctas')}", "content-type": "application/json"}
    if api_key is not None:
        headers["authorization"] = f"Bearer {api_key}"
    return {"base_url": _parsed(url), "timeout": timeout_s, "headers": headers}


def _parsed(url: str) -> httpx.URL:
    allowed = "the address of a server, such as http://localhost:8000"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInput("url", url, allowed) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidInput("url", url, allowed)
    return parsed
