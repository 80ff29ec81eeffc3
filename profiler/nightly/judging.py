"""Whether a night is slower than the nights before it: statistics only, no measuring.

A *series* is what processes saw of one thing: a canary, the mean over all canaries of a target, or the absolute
reference of the machine. Values are logarithms, so a difference of 0.05 is five per cent. A night's value is the median
over its processes. Tonight's is compared with the median of earlier nights; the scale of the difference comes from how
far earlier nights differed from one another, never from the rounds of one process, which agree far better.

Few nights tell a scale badly, so those of a target's canaries lend one another strength: each variance is shrunk
towards the common one by as much as the spread of the variances allows (Smyth, "Linear models and empirical Bayes
methods", 2004, section 6), which gives a t-statistic with more degrees of freedom.

All series of a night, over all targets, are one family: Holm's procedure holds the probability that anything at all is
called slower on a quiet night under ``false_alarms``, however the series depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Array = npt.NDArray[np.float64]
Sort = Literal["canary", "canaries", "reference"]
State = Literal["slower", "quiet", "faster", "new"]

MEDIAN_VARIANCE: Final = math.pi / 2
"""Variance of a median over that of a mean, for many normal values."""
CLIP: Final = 3.5
"""Robust standard deviations beyond which a night of the history counts as if it were just so far off."""
SMALLEST_SCALE: Final = 0.002
"""Standard deviation of the logarithm that nights have at least: clocks and medians are no finer."""
MOST_FREEDOM: Final = 200.0
"""Degrees of freedom of a common variance that all series seem to share."""


@dataclass(frozen=True, slots=True)
class Series:
    """What was seen of one thing, tonight and before.

    Attributes:
        target: Full name of the target.
        name: What it is.
        sort: A canary, the mean over all canaries, or the absolute reference.
        history: Logarithm of each earlier night, oldest first.
        tonight: Logarithm of what each process of tonight saw.
    """

    target: str
    name: str
    sort: Sort
    history: tuple[float, ...]
    tonight: tuple[float, ...]

    @property
    def value(self) -> float:
        """Tonight's value."""
        return median(self.tonight)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said about a series.

    Attributes:
        series: What was judged.
        change: Tonight over before, minus one; 0 without a history.
        smallest: The change that a night as quiet as those before stays under, at the family's level; 0 where unknown.
        p_value: Probability of a quiet night that looks so slow.
        adjusted: The same over the whole family (Holm); slower if under the level.
        state: ``new`` without enough history.
    """

    series: Series
    change: float
    smallest: float
    p_value: float
    adjusted: float
    state: State


@dataclass(frozen=True, slots=True)
class Scale:
    """How far a night may be from those before: centre, standard error and degrees of freedom."""

    centre: float
    error: float
    freedom: float

    def p_value(self, value: float) -> float:
        """Probability of a value at least so large on a quiet night."""
        return float(stats.t.sf((value - self.centre) / self.error, self.freedom))

    def reach(self, level: float) -> float:
        """The difference that is exceeded with that probability."""
        return float(stats.t.isf(level, self.freedom) * self.error)


def judge(family: Sequence[Series], *, false_alarms: float, history: int, window: int) -> tuple[Verdict, ...]:
    """Judge all series of a night.

    Args:
        family: All series, of all targets.
        false_alarms: Probability that any is called slower on a quiet night.
        history: Nights without which a series is new.
        window: Latest nights that count.
    """
    recent = [replace(series, history=series.history[-window:]) for series in family]
    old = [series for series in recent if len(series.history) >= history and series.tonight]
    scales = dict(zip(map(_id, old), _scales(old), strict=True))
    p_values = [scales[_id(series)].p_value(series.value) for series in old]
    slower = dict(zip(map(_id, old), holm(p_values), strict=True))
    faster = dict(zip(map(_id, old), holm([1.0 - p for p in p_values]), strict=True))
    verdicts = []
    for series in recent:
        if (scale := scales.get(_id(series))) is None:
            verdicts.append(Verdict(series, 0.0, 0.0, 1.0, 1.0, "new"))
            continue
        sinks, rises = faster[_id(series)] < false_alarms, slower[_id(series)] < false_alarms
        state: State = "slower" if rises else "faster" if sinks else "quiet"
        verdicts.append(
            Verdict(
                series,
                math.expm1(series.value - scale.centre),
                math.expm1(scale.reach(false_alarms / len(old))),
                scale.p_value(series.value),
                slower[_id(series)],
                state,
            )
        )
    return tuple(verdicts)


def judge_again(
    first: Sequence[Verdict],
    again: Mapping[tuple[str, str], tuple[float, ...]],
    *,
    false_alarms: float,
    history: int,
    window: int,
) -> tuple[Verdict, ...]:
    """Judge a night by its second look: what was not suspect stays quiet, and the family stays as large as it was.

    Args:
        first: Verdicts of the first look.
        again: Logarithms of a second look, in processes of its own, by target and name of each suspect.
        false_alarms: See :func:`judge`.
        history: See there.
        window: See there.
    """
    family = [
        replace(verdict.series, tonight=again.get(_id(verdict.series), verdict.series.tonight)) for verdict in first
    ]
    judged = judge(family, false_alarms=false_alarms, history=history, window=window)
    looked = [_id(verdict.series) in again for verdict in first]
    held = holm([verdict.p_value if was else 1.0 for verdict, was in zip(judged, looked, strict=True)])
    return tuple(
        replace(verdict, adjusted=p, state="slower" if p < false_alarms else _without_slower(verdict.state))
        for verdict, p in zip(judged, held, strict=True)
    )


def suspects(verdicts: Sequence[Verdict], screen: float) -> tuple[Verdict, ...]:
    """Series that are to be looked at again: slower than a quiet night is with the probability `screen`."""
    return tuple(verdict for verdict in verdicts if verdict.state != "new" and verdict.p_value < screen)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values by Holm's step-down procedure; in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return tuple(adjusted)


def _id(series: Series) -> tuple[str, str]:
    return series.target, series.name


def _without_slower(state: State) -> State:
    return "quiet" if state == "slower" else state


def _scales(family: Sequence[Series]) -> list[Scale]:
    """Of each series; the canaries of a target lend one another strength, what is no canary stands alone."""
    scales: dict[tuple[str, str], Scale] = {}
    for target in dict.fromkeys(series.target for series in family):
        of_target = [series for series in family if series.target == target]
        canaries = [series for series in of_target if series.sort == "canary"]
        others = [series for series in of_target if series.sort != "canary"]
        for group in (canaries, *([other] for other in others)):
            scales.update(zip(map(_id, group), _group_scales([series.history for series in group]), strict=True))
    return [scales[_id(series)] for series in family]


def _group_scales(histories: Sequence[Sequence[float]]) -> list[Scale]:
    cleaned = [_clipped(np.array(history)) for history in histories]
    variances = np.array([max(float(values.var(ddof=1)), SMALLEST_SCALE**2) for values in cleaned])
    freedom = np.array([len(values) - 1.0 for values in cleaned])
    common, strength = common_variance(variances, freedom)
    shrunk = (strength * common + freedom * variances) / (strength + freedom)
    return [
        Scale(
            float(np.median(values)),
            math.sqrt(variance * (1.0 + MEDIAN_VARIANCE / len(values))),
            float(min(df + strength, MOST_FREEDOM)),
        )
        for values, variance, df in zip(cleaned, shrunk, freedom, strict=True)
    ]


def _clipped(values: Array) -> Array:
    """The values with those far off moved to where they would just be believed."""
    centre = np.median(values)
    reach = CLIP * max(1.4826 * float(np.median(np.abs(values - centre))), SMALLEST_SCALE)
    return np.clip(values, centre - reach, centre + reach)


def common_variance(variances: Array, freedom: Array) -> tuple[float, float]:
    """The variance that series have in common, and how many degrees of freedom it is worth (Smyth 2004, section 6.2).

    Under three series there is nothing to learn from one another: the strength is 0.

    Args:
        variances: Of each series, positive.
        freedom: Degrees of freedom of each.
    """
    if len(variances) < 3:
        return float(variances.mean()) if len(variances) else 0.0, 0.0
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    mean = float(logs.mean())
    spread = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    strength = _strength(spread)
    return math.exp(mean + float(special.digamma(strength / 2)) - math.log(strength / 2)), strength


def _strength(spread: float) -> float:
    """Degrees of freedom whose trigamma function at their half is `spread`; many if the variances do not differ."""
    least = float(special.polygamma(1, MOST_FREEDOM / 2))
    if spread <= least:
        return MOST_FREEDOM
    found: float = optimize.brentq(lambda half: float(special.polygamma(1, half)) - spread, 1e-3, MOST_FREEDOM / 2)
    return 2.0 * found
