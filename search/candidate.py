"""A candidate: an architecture with what is known of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hyctas.architecture import Architecture
from hyctas.prediction import Prediction
from search.evolution.scored import Score

WORST_ERROR: Final = 1.0
"""1 - mIoU of a candidate whose mIoU was not worth finding out, since it is over a latency limit."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture as a search scored it.

    Attributes:
        architecture: The network as it would be deployed.
        predictions: Its latency, one prediction a target.
        miou: Its quality, 0 to 1; None where it was not evaluated (over a limit) or could not be.
        failure: Why it could not be evaluated, or None.
    """

    architecture: Architecture
    predictions: tuple[Prediction, ...]
    miou: float | None = None
    failure: str | None = None

    @property
    def latency_s(self) -> tuple[float, ...]:
        """Predicted latency, one a target."""
        return tuple(prediction.latency_s for prediction in self.predictions)

    def within(self, limits_s: Sequence[float | None]) -> bool:
        """Whether no predicted latency is over its limit; None limits nothing."""
        return all(excess <= 0 for excess in excesses(self.latency_s, limits_s))

    def score(self, limits_s: Sequence[float | None]) -> Score:
        """What evolution sees: 1 - mIoU, then log latencies; logs of latency over limit as violations."""
        if self.failure is not None:
            return Score((math.inf,) * (1 + len(self.predictions)), excesses(self.latency_s, limits_s))
        error = WORST_ERROR if self.miou is None else 1.0 - self.miou
        return Score((error, *map(math.log, self.latency_s)), excesses(self.latency_s, limits_s))


def excesses(latency_s: Sequence[float], limits_s: Sequence[float | None]) -> tuple[float, ...]:
    """Log of latency over limit for each target that has a limit; positive where it is broken."""
    pairs = zip(latency_s, limits_s, strict=True)
    return tuple(math.log(latency / limit) for latency, limit in pairs if limit is not None)
