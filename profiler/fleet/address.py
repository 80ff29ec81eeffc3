"""Addresses of the database as a fleet uses them: PostgreSQL only, and with connections that notice a cut."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from hyctas.errors import InvalidInput

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
IMPATIENT: Final = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""Settings of libpq; Linux alone knows the last one. What the address says itself stays."""


def fleet_url(url: str) -> str:
    """The address with settings under which a dead connection is noticed in seconds rather than hours.

    Raises:
        InvalidInput: It is not a PostgreSQL address.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise InvalidInput(
            "--db", without_password(url), "postgresql://USER@HOST/DATABASE: a queue is shared, one machine needs none"
        )
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    query = urlencode({**IMPATIENT, **given}, safe="/")
    return f"postgresql://{parts.netloc}{parts.path}?{query}"


def without_password(url: str) -> str:
    """The address as messages show it: neither user nor password, nor settings."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host", "")
    return f"{parts.scheme}://{host}{parts.path}"
