"""Conformal intervals: how far from a prediction the truth was, on networks that the prediction had not seen.

Scores are ``|log(measured / predicted)|`` out of fold. The half-width for a coverage is their
``ceil((n + 1) * coverage)``-th smallest, which holds for exchangeable networks whatever the errors look like (Vovk et
al., "Algorithmic Learning in a Random World", 2005). Out-of-fold scores stand in for those of the final model, which
has seen a little more (cross-conformal; Vovk, 2015). Networks that were chosen because of their prediction never
calibrate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

COVERAGE: Final = 0.9
MIN_GROUP: Final = 30
"""A branch count with fewer calibrating networks takes the half-width of all together."""
UNCALIBRATED: Final = math.log(2.0)
"""Half-width where no network of these settings was measured end to end: a factor of two either way."""
EXTRAPOLATION_FACTOR: Final = 2.0
"""How many times wider an interval is for networks out of the trained range, at trained settings."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Half-widths on the logarithm of latency.

    Attributes:
        coverage: Nominal coverage.
        overall: Half-width from all calibrating networks.
        by_branches: Half-width by branch count, for those with enough networks.
        networks: How many networks calibrated.
    """

    coverage: float
    overall: float
    by_branches: Mapping[int, float]
    networks: int

    @property
    def calibrated(self) -> bool:
        """Whether enough networks calibrated for the half-width to mean something."""
        return _rank(self.networks, self.coverage) <= self.networks

    def half_width(self, branches: int) -> float:
        """Half-width for networks with so many branches."""
        return self.by_branches.get(branches, self.overall)


def uncalibrated() -> Intervals:
    """Intervals before any network was measured."""
    return Intervals(COVERAGE, UNCALIBRATED, {}, 0)


def calibrate_intervals(scores: Array, branches: Sequence[int], *, coverage: float = COVERAGE) -> Intervals:
    """Half-widths from out-of-fold scores ``|log(measured / predicted)|`` and the branch count of each network."""
    counts = np.asarray(branches)
    groups = {int(count): scores[counts == count] for count in np.unique(counts)}
    return Intervals(
        coverage=coverage,
        overall=conformal_quantile(scores, coverage),
        by_branches={
            count: conformal_quantile(group, coverage) for count, group in groups.items() if len(group) >= MIN_GROUP
        },
        networks=len(scores),
    )


def conformal_quantile(scores: Array, coverage: float) -> float:
    """The ``ceil((n + 1) * coverage)``-th smallest score; the uncalibrated half-width if n is too small for that."""
    rank = _rank(len(scores), coverage)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else max(UNCALIBRATED, float(max(scores, default=0)))


def _rank(count: int, coverage: float) -> int:
    """Which of `count` scores, smallest first, is the half-width; more than `count` where they are too few."""
    return math.ceil((count + 1) * coverage)
