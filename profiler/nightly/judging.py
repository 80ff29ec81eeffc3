"""Whether a night is slower than the nights before it: statistics only, no measuring.

A *series* is what processes saw of one thing: a canary, what all canaries of a target have in common, or the absolute
reference of the machine. Values are logarithms, so a difference of 0.05 is five per cent. A night's value is the
median over its processes; it is compared with the mean of earlier nights. How far a quiet night may be off follows
from earlier nights and processes (:mod:`profiler.nightly.scales`), never from the rounds of one process, which agree
far better.

All series of a night, over all targets, are one family: Holm's procedure holds the probability that anything at all is
called slower on a quiet night under ``false_alarms``, however the series depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from profiler.nightly.scales import Scale, group_scales

Sort = Literal["canary", "canaries", "reference"]
State = Literal["slower", "quiet", "faster", "new"]


@dataclass(frozen=True, slots=True)
class Series:
    """What was seen of one thing, tonight and before.

    Attributes:
        target: Full name of the target.
        name: What it is.
        sort: A canary, what all canaries have in common, or the absolute reference.
        history: Logarithm of what each process saw, by earlier night, oldest first; no night is empty.
        tonight: The same of tonight.
    """

    target: str
    name: str
    sort: Sort
    history: tuple[tuple[float, ...], ...]
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
            found = group_scales([series.history for series in group], [len(series.tonight) for series in group])
            scales.update(zip(map(_id, group), found, strict=True))
    return [scales[_id(series)] for series in family]
