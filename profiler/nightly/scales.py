"""How far a quiet night may be off: from how much processes of one night differ, and nights among one another.

The value of a process is that of its night plus noise of variance *W*; the value of a night, a median over *k*
processes, varies by ``N + c(k) W``, where *N* is what nights differ by themselves and ``c(k)`` the variance of a
median of *k* standard normal values. *W* is known well: every night adds ``k - 1`` degrees of freedom. *N* is not, so
what canaries of one target lend one another is the *ratio* of the variance of nights to ``c(k) W``: each is shrunk
towards the common one by as much as their spread allows (Smyth, "Linear models and empirical Bayes methods", 2004,
section 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Array = npt.NDArray[np.float64]
Nights = Sequence[Sequence[float]]

CLIP: Final = 3.0
"""Robust standard deviations beyond which a value counts as if it were just so far off."""
SMALLEST_DEVIATION: Final = 0.002
"""Standard deviation of the logarithm between processes, at least: clocks and medians are no finer."""
MOST_FREEDOM: Final = 200.0
"""Degrees of freedom of a common value that all series seem to share."""
MEDIAN_VARIANCES: Final = (1.0, 0.5, 0.4487, 0.2982, 0.2868, 0.2147, 0.2104, 0.1682, 0.1661, 0.1383)
"""Variance of the median of 1, 2, ... standard normal values (David & Nagaraja, Order Statistics, 2003)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a quiet night's value is distributed like: centre, standard error and degrees of freedom (Student's t)."""

    centre: float
    error: float
    freedom: float

    def p_value(self, value: float) -> float:
        """Probability of a value at least so large on a quiet night."""
        return float(stats.t.sf((value - self.centre) / self.error, self.freedom))

    def reach(self, level: float) -> float:
        """The difference that is exceeded with that probability."""
        return float(stats.t.isf(level, self.freedom) * self.error)


@dataclass(frozen=True, slots=True)
class _Spread:
    """What the history of one series says: its centre, variances, and their degrees of freedom."""

    centre: float
    nights: int
    process_variance: float
    process_freedom: float
    median_variance: float
    night_variance: float

    @property
    def ratio(self) -> float:
        """How much more nights differ than their processes alone would make them."""
        return self.night_variance / (self.median_variance * self.process_variance)


def group_scales(histories: Sequence[Nights], processes: Sequence[int]) -> list[Scale]:
    """The scale of tonight's value of each series of a group, which lend one another strength.

    Args:
        histories: Of each series: by night, the value of each process.
        processes: Of each series, how many processes tonight's value comes from.
    """
    spreads = [_spread(nights) for nights in histories]
    if not spreads:
        return []
    freedom = np.array([spread.nights - 1.0 for spread in spreads])
    ratios = np.array([spread.ratio for spread in spreads])
    common, strength = common_variance(ratios, freedom)
    shrunk = (strength * common + freedom * ratios) / (strength + freedom)
    return [
        _scale(spread, ratio, float(df + strength), count)
        for spread, ratio, df, count in zip(spreads, shrunk.tolist(), freedom, processes, strict=True)
    ]


def _scale(spread: _Spread, ratio: float, freedom: float, processes: int) -> Scale:
    """Nights that differ no more than their processes would have it are taken to differ by that much."""
    own = max(ratio - 1.0, 0.0) * spread.median_variance
    tonight = own + median_variance(processes)
    centre = (own + spread.median_variance) / spread.nights
    both = 1.0 / (1.0 / freedom + 1.0 / spread.process_freedom) if spread.process_freedom else freedom
    return Scale(
        spread.centre, math.sqrt(spread.process_variance * (tonight + centre)), min(max(both, 1.0), MOST_FREEDOM)
    )


def _spread(nights: Nights) -> _Spread:
    medians = _clipped(np.array([float(np.median(night)) for night in nights]))
    inside = [np.array(night) - float(np.median(night)) for night in nights if len(night) > 1]
    counts = [len(night) for night in nights]
    freedom = float(sum(count - 1 for count in counts))
    typical = float(np.mean([median_variance(count) for count in counts]))
    night_variance = max(float(medians.var(ddof=1)) if len(medians) > 1 else 0.0, SMALLEST_DEVIATION**2 * typical)
    if inside:
        deviations = _clipped(np.concatenate(inside))
        process_variance = max(float(np.sum(deviations**2)) / freedom, SMALLEST_DEVIATION**2)
    else:
        process_variance = night_variance
    return _Spread(float(medians.mean()), len(nights), process_variance, freedom, typical, night_variance)


def median_variance(count: int) -> float:
    """Variance of the median of so many standard normal values; pi / 2 of that of their mean for many."""
    return MEDIAN_VARIANCES[count - 1] if count <= len(MEDIAN_VARIANCES) else math.pi / 2 / (count + 0.6)


def _clipped(values: Array) -> Array:
    """The values with those far off moved to where they would just be believed."""
    centre = np.median(values)
    reach = CLIP * max(1.4826 * float(np.median(np.abs(values - centre))), SMALLEST_DEVIATION)
    found: Array = np.clip(values, centre - reach, centre + reach)
    return found


def common_variance(variances: Array, freedom: Array) -> tuple[float, float]:
    """The variance that series have in common, and how many degrees of freedom it is worth (Smyth 2004, section 6.2).

    Under three series there is nothing to learn from one another: the strength is 0. A few series cannot tell that they
    are alike either, so it is twice their number at most.

    Args:
        variances: Of each series, positive.
        freedom: Degrees of freedom of each.
    """
    if len(variances) < 3:
        return float(variances.mean()), 0.0
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    mean = float(logs.mean())
    spread = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    strength = _strength(spread)
    common = math.exp(mean + float(special.digamma(strength / 2)) - math.log(strength / 2))
    return common, min(strength, 2.0 * len(variances))


def _strength(spread: float) -> float:
    """Degrees of freedom whose trigamma function at their half is `spread`; many if the variances do not differ."""
    least = float(special.polygamma(1, MOST_FREEDOM / 2))
    if spread <= least:
        return MOST_FREEDOM
    found: float = optimize.brentq(lambda half: float(special.polygamma(1, half)) - spread, 1e-3, MOST_FREEDOM / 2)
    return 2.0 * found
