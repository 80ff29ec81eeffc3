"""When the client tries again, and how long it waits before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from hyctas.errors import InvalidInput

MAX_RETRY_AFTER_S: Final = 60.0
"""A server that asks for more is believed to this extent."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS, 2015).

    Attributes:
        count: Attempts after the first.
        first_s: Longest wait before the first of them; doubles with each.
        longest_s: Longest wait before any.
        rng: Source of the jitter, which keeps clients that failed together from coming back together.

    Raises:
        InvalidInput: A number is negative.
    """

    count: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0
    rng: random.Random = field(default_factory=random.Random, compare=False)

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        for name in ("count", "first_s", "longest_s"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"retries.{name}", getattr(self, name), "0 or more")

    def waits_s(self) -> Iterator[float]:
        """Seconds to wait before each further attempt, drawn anew."""
        for attempt in range(self.count):
            yield self.rng.uniform(0.0, min(self.longest_s, self.first_s * 2.0**attempt))


RETRIES: Final = Retries()
"""What clients do unless told otherwise: four more attempts, within about 1.5 seconds."""


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait; 0 if it does not say so in seconds."""
    try:
        asked = float(headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return min(max(asked, 0.0), MAX_RETRY_AFTER_S) if asked == asked else 0.0
