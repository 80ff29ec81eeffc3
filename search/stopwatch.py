"""Where the time of a search goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

Activity = Literal["evaluation", "prediction", "evolution", "storage", "measurement"]


class Stopwatch:
    """Adds up seconds by activity.

    Args:
        spent_s: What was spent before.
        clock: Tells seconds.
    """

    def __init__(
        self, spent_s: Mapping[str, float] | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._spent_s = dict(spent_s or {})

    @property
    def spent_s(self) -> Mapping[str, float]:
        """Seconds by activity."""
        return dict(self._spent_s)

    @contextmanager
    def on(self, activity: Activity) -> Iterator[None]:
        """Count what happens inside to `activity`."""
        start = self._clock()
        try:
            yield
        finally:
            self._spent_s[activity] = self._spent_s.get(activity, 0.0) + self._clock() - start
