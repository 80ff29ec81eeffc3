"""How good predictions are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PAIR_RANGE: Final = 0.2
"""Two networks are a pair if the slower one takes at most this share more than the faster one."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of predicted against measured latencies.

    Attributes:
        networks: How many networks they come from.
        mape: Mean absolute percentage error, as a share.
        within_5: Share within 5 %.
        within_10: Share within 10 %.
        spearman: Rank correlation.
        pair_accuracy: Share of the pairs within :data:`PAIR_RANGE` that are ordered right; NaN without such pairs.
        bias: Mean signed relative error.
    """

    networks: int
    mape: float
    within_5: float
    within_10: float
    spearman: float
    pair_accuracy: float
    bias: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the measured latency.

    Attributes:
        nominal: What they promise.
        share: What they kept.
        low: Lower end of the 95 % binomial interval of `share`.
        high: Upper end.
        mean_width: Mean width over the predicted latency.
    """

    nominal: float
    share: float
    low: float
    high: float
    mean_width: float

    @property
    def holds(self) -> bool:
        """Whether the nominal coverage lies inside the binomial interval."""
        return self.low <= self.nominal <= self.high


def score(predicted_s: Array, measured_s: Array) -> Scores:
    """Score predictions, both in seconds, (networks,) each.

    Raises:
        ValueError: There is no network, or the lengths differ.
    """
    if len(predicted_s) != len(measured_s) or not len(measured_s):
        raise ValueError(f"{len(predicted_s)} predictions for {len(measured_s)} measurements; expected equal and some")
    error = predicted_s / measured_s - 1.0
    return Scores(
        networks=len(error),
        mape=float(np.abs(error).mean()),
        within_5=float((np.abs(error) <= 0.05).mean()),
        within_10=float((np.abs(error) <= 0.10).mean()),
        spearman=spearman(predicted_s, measured_s),
        pair_accuracy=pair_accuracy(predicted_s, measured_s),
        bias=float(error.mean()),
    )


def spearman(a: Array, b: Array) -> float:
    """Rank correlation, ties by mean rank; NaN under two values or without variation."""
    from scipy.stats import rankdata

    if len(a) < 2:
        return float("nan")
    first, second = rankdata(a), rankdata(b)
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > 0.0 else float("nan")


def pair_accuracy(predicted_s: Array, measured_s: Array) -> float:
    """Share of pairs close in measured latency whose order is predicted; a predicted tie counts half."""
    left, right = np.triu_indices(len(measured_s), k=1)
    slower = np.maximum(measured_s[left], measured_s[right])
    faster = np.minimum(measured_s[left], measured_s[right])
    close = (slower <= (1.0 + PAIR_RANGE) * faster) & (slower > faster)
    if not close.any():
        return float("nan")
    measured = np.sign(measured_s[left] - measured_s[right])[close]
    predicted = np.sign(predicted_s[left] - predicted_s[right])[close]
    return float(np.where(predicted == 0.0, 0.5, predicted == measured).mean())


def coverage(low_s: Array, high_s: Array, predicted_s: Array, measured_s: Array, *, nominal: float) -> Coverage:
    """Coverage of intervals, with its exact binomial interval (Clopper and Pearson, 1934)."""
    from scipy.stats import beta

    held = (low_s <= measured_s) & (measured_s <= high_s)
    count, hits = len(held), int(held.sum())
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return Coverage(nominal, hits / count, low, high, float(((high_s - low_s) / predicted_s).mean()))
