"""The series that a night is judged by, from what processes saw.

Much of what differs between processes is the same for all their canaries, or for the larger ones among them. So a
canary is judged without what is common, in whichever of three ways left its processes nearest each other on earlier
nights: as it is, without the median of all canaries, or without a median in which precise ones count more. The latter
is judged as a series of its own, so that a slow canary is told from a slow runtime. The absolute reference, where one
normalises latencies, tells of a slow machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from profiler.nightly.judging import Series
from profiler.nightly.scales import SMALLEST_DEVIATION
from profiler.nightly.sightings import Night

ALL_CANARIES: Final = "all canaries"
REFERENCE: Final = "machine (absolute reference)"
ENOUGH_CANARIES: Final = 5
"""Canaries under which nothing is taken to be common to them."""
MOST_WEIGHT: Final = 4.0
"""Weight of a canary over the median weight at most, so that none alone says what is common."""

_TONIGHT: Final = ""
"""Stands for tonight among labels of nights."""
Processes = Mapping[str, float]
"""Logarithms by process."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where a canary was on earlier nights (logarithm), and how far its processes were from that."""

    value: float
    deviation: float


def series_of(
    target: str,
    names: Mapping[str, str],
    history: Mapping[str, Night],
    tonight: Night,
    *,
    slower: Mapping[str, Collection[str]],
) -> tuple[Series, ...]:
    """The series of a target: each canary, what all have in common, and the absolute reference where one normalises.

    Args:
        target: Full name of the target.
        names: Name of each canary, by workload key.
        history: Earlier nights, oldest first.
        tonight: Tonight.
        slower: By night, names of series that were called slower; their values that night are no history.
    """

    def counts(label: str, name: str) -> bool:
        return name not in slower.get(label, ())

    kept = {
        key: {
            label: night.canaries[key]
            for label, night in history.items()
            if key in night.canaries and counts(label, name)
        }
        for key, name in names.items()
    }
    centres = {key: _centre(tuple(nights.values())) for key, nights in kept.items() if nights}
    weights = _weights(centres)
    everything = {**history, _TONIGHT: tonight}
    common = {label: _common(night, centres, weights) for label, night in everything.items()}
    plain = {label: _common(night, centres, dict.fromkeys(weights, 1.0)) for label, night in everything.items()}
    found = [
        _canary(target, name, kept[key], tonight.canaries.get(key, {}), (common, plain) if weights else ())
        for key, name in names.items()
    ]
    if weights:
        together = [common[label] for label in history if counts(label, ALL_CANARIES) and common[label]]
        found.append(Series(target, ALL_CANARIES, "canaries", tuple(map(_values, together)), _values(common[_TONIGHT])))
    if tonight.references:
        nights = [night for label, night in history.items() if counts(label, REFERENCE) and night.references]
        before = tuple(_references(night) for night in nights)
        found.append(Series(target, REFERENCE, "reference", before, _references(tonight)))
    return tuple(found)


def _canary(
    target: str,
    name: str,
    nights: Mapping[str, Processes],
    tonight: Processes,
    commons: Sequence[Mapping[str, Processes]],
) -> Series:
    """The series of a canary, without that of the `commons` (by night) that leaves its processes nearest each other."""
    ways: list[Mapping[str, Processes]] = [{}, *commons]
    histories = [tuple(_without(seen, way.get(label, {})) for label, seen in nights.items()) for way in ways]
    best = min(range(len(ways)), key=lambda number: _deviation(histories[number]))
    return Series(target, name, "canary", histories[best], _without(tonight, ways[best].get(_TONIGHT, {})))


def _common(night: Night, centres: Mapping[str, Centre], weights: Mapping[str, float]) -> Processes:
    """By process, the median of how far each canary is from its centre, those that hardly vary before others."""
    by_process: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for key, seen in night.canaries.items():
        if key in weights:
            for process, value in seen.items():
                by_process[process].append((value - centres[key].value, weights[key]))
    return {process: weighted_median(values) for process, values in by_process.items()}


def _weights(centres: Mapping[str, Centre]) -> Mapping[str, float]:
    """How much each canary says about what all have in common; empty if there are too few."""
    if len(centres) < ENOUGH_CANARIES:
        return {}
    precise = {key: max(centre.deviation, SMALLEST_DEVIATION) ** -2 for key, centre in centres.items()}
    most = MOST_WEIGHT * median(precise.values())
    return {key: min(weight, most) for key, weight in precise.items()}


def weighted_median(values: Sequence[tuple[float, float]]) -> float:
    """The smallest value at which half of the weight is reached.

    Args:
        values: Each with its weight; at least one.
    """
    half, reached = sum(weight for _, weight in values) / 2, 0.0
    for value, weight in sorted(values):
        reached += weight
        if reached >= half:
            return value
    raise ValueError("there is no value")


def _centre(nights: Sequence[Processes]) -> Centre:
    values = [_values(seen) for seen in nights]
    return Centre(fmean(map(median, values)), _deviation(values))


def _deviation(nights: Sequence[Sequence[float]]) -> float:
    """How far processes are from the mean of the nights, as a robust standard deviation."""
    centre = fmean(map(median, nights)) if nights else 0.0
    return 1.4826 * median([abs(value - centre) for night in nights for value in night] or [0.0])


def _without(seen: Processes, common: Processes) -> tuple[float, ...]:
    return tuple(value - common.get(process, 0.0) for process, value in seen.items())


def _values(seen: Processes) -> tuple[float, ...]:
    return tuple(seen.values())


def _references(night: Night) -> tuple[float, ...]:
    return tuple(map(fmean, night.references.values()))
