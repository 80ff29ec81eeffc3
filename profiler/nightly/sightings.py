"""What processes saw of canaries, over nights, and the series that are judged."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Final

from profiler.nightly.judging import Series

ALL_CANARIES: Final = "all canaries"
REFERENCE: Final = "machine (absolute reference)"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one process saw of one canary.

    Attributes:
        night: Label of the night.
        look: 1, or 2 for a second look.
        process_id: Names the process.
        workload_key: Which canary.
        ratio: Latency over reference latency, or the latency in seconds where nothing normalises; None if it failed.
        reference_s: Absolute reference latency in that process; None where nothing normalises, or if it failed.
        failure: Why it failed, or empty.
    """

    night: str
    look: int
    process_id: str
    workload_key: str
    ratio: float | None
    reference_s: float | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Night:
    """One night of one target, by process.

    Attributes:
        canaries: Logarithm of the ratio by canary and process.
        references: Logarithm of the absolute reference by process, one a canary.
    """

    canaries: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    references: Mapping[str, Sequence[float]] = field(default_factory=dict)


def nights_of(sightings: Sequence[Sighting], look: int = 1) -> Mapping[str, Night]:
    """Sightings of one look by night, in their order."""
    canaries: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    references: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seen in sightings:
        if seen.look != look or seen.ratio is None or seen.ratio <= 0.0:
            continue
        canaries[seen.night][seen.workload_key][seen.process_id] = math.log(seen.ratio)
        if seen.reference_s is not None and seen.reference_s > 0.0:
            references[seen.night][seen.process_id].append(math.log(seen.reference_s))
    return {night: Night(found, references[night]) for night, found in canaries.items()}


def series_of(
    target: str,
    names: Mapping[str, str],
    history: Mapping[str, Night],
    tonight: Night,
    *,
    slower: Mapping[str, Collection[str]],
) -> tuple[Series, ...]:
    """The series of a target: each canary, their mean, and the absolute reference where latencies are normalised.

    Args:
        target: Full name of the target.
        names: Name of each canary, by workload key.
        history: Earlier nights, oldest first.
        tonight: Tonight.
        slower: By night, names of series that were called slower; their values that night are no history.
    """
    kept = {
        key: [
            median(night.canaries[key].values())
            for label, night in history.items()
            if key in night.canaries and name not in slower.get(label, ())
        ]
        for key, name in names.items()
    }
    found = [
        Series(target, name, "canary", tuple(kept[key]), tuple(tonight.canaries.get(key, {}).values()))
        for key, name in names.items()
    ]
    centres = {key: median(values) for key, values in kept.items() if values}
    means = [
        median(_means(night, centres))
        for label, night in history.items()
        if ALL_CANARIES not in slower.get(label, ()) and _means(night, centres)
    ]
    found.append(Series(target, ALL_CANARIES, "canaries", tuple(means), tuple(_means(tonight, centres))))
    if tonight.references:
        before = [
            median(map(fmean, night.references.values()))
            for label, night in history.items()
            if night.references and REFERENCE not in slower.get(label, ())
        ]
        now = tuple(map(fmean, tonight.references.values()))
        found.append(Series(target, REFERENCE, "reference", tuple(before), now))
    return tuple(found)


def _means(night: Night, centres: Mapping[str, float]) -> list[float]:
    """Of each process the mean over canaries of how far each is from its centre."""
    by_process: dict[str, list[float]] = defaultdict(list)
    for key, seen in night.canaries.items():
        if key in centres:
            for process, value in seen.items():
                by_process[process].append(value - centres[key])
    return [fmean(values) for values in by_process.values()]
