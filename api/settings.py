"""Settings of the server, read from the environment by the composition roots alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hyctas.errors import InvalidInput

DEFAULT_DATABASE: Final = "sqlite:///hyctas.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves.

    Attributes:
        database_url: Where models and measurements are listed.
        api_keys: Accepted bearer tokens; empty lets everyone in.
        refresh_s: Seconds between looks at the database for new models and measurements.
        max_body_bytes: Longest request body.
        body_timeout_s: Seconds that a client may take to send a body.
        max_in_flight: Prediction requests worked on at once; more are told to come back.
        retry_after_s: When.
    """

    database_url: str = DEFAULT_DATABASE
    api_keys: frozenset[str] = frozenset()
    refresh_s: float = 2.0
    max_body_bytes: int = 16 * 2**20
    body_timeout_s: float = 30.0
    max_in_flight: int = 64
    retry_after_s: int = 1


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read ``HYCTAS_DB``, ``HYCTAS_API_KEYS`` (separated by commas) and ``HYCTAS_REFRESH_S``.

    Raises:
        InvalidInput: The seconds are not a positive number.
    """
    refresh = environment.get("HYCTAS_REFRESH_S", "2")
    try:
        refresh_s = float(refresh)
    except ValueError:
        refresh_s = 0.0
    if not 0.0 < refresh_s < float("inf"):
        raise InvalidInput("HYCTAS_REFRESH_S", refresh, "seconds above 0, such as 2")
    keys = (key.strip() for key in environment.get("HYCTAS_API_KEYS", "").split(","))
    return Settings(
        database_url=environment.get("HYCTAS_DB", DEFAULT_DATABASE),
        api_keys=frozenset(filter(None, keys)),
        refresh_s=refresh_s,
    )
