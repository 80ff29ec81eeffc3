"""Who may ask: bearer tokens, where the server was given any."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from api.problem import ProblemError, plain


class Access:
    """Checks the ``Authorization`` header of requests.

    Args:
        keys: Accepted tokens; none lets everyone in.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def check(self, scope: Mapping[str, Any]) -> None:
        """Let a request pass.

        Raises:
            ProblemError: 401, its token is missing or not accepted.
        """
        if not self._keys:
            return
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        given = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        accepted = any(hmac.compare_digest(token.strip(), key) for key in self._keys)
        if scheme.lower() != b"bearer" or not accepted:
            raise ProblemError(plain(HTTPStatus.UNAUTHORIZED, "send a key of this server: Authorization: Bearer KEY"))
