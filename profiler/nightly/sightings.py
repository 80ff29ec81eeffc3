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
ENOUGH_CANARIES: Final = 5
"""Canaries of a process under which nothing is taken to be common to them."""
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
    """The series of a target: each canary, what all have in common, and the absolute reference where one normalises.

    Much of what differs between processes is the same for all their canaries. So a canary is judged without what all
    have in common (a median, which a few slow canaries do not move), and that is judged as a series of its own. A few
    canaries have nothing in common that could be told from themselves, and are judged as they are.

    Args:
        target: Full name of the target.
        names: Name of each canary, by workload key.
        history: Earlier nights, oldest first.
        tonight: Tonight.
        slower: By night, names of series that were called slower; their values that night are no history.
    """
    kept = {
        key: {
            label: night.canaries[key]
            for label, night in history.items()
            if night.canaries.get(key) and name not in slower.get(label, ())
        }
        for key, name in names.items()
    }
    centres = {key: fmean(median(seen.values()) for seen in nights.values()) for key, nights in kept.items() if nights}
    common = {label: _common(night, centres) for label, night in history.items()}
    now = _common(tonight, centres)
    many = len(centres) >= ENOUGH_CANARIES
    found = [
        Series(
            target,
            name,
            "canary",
            tuple(_own(seen, common[label] if many else {}) for label, seen in kept[key].items()),
            _own(tonight.canaries.get(key, {}), now if many else {}),
        )
        for key, name in names.items()
    ]
    together = [common[label] for label in history if ALL_CANARIES not in slower.get(label, ()) and common[label]]
    found.append(
        Series(target, ALL_CANARIES, "canaries", tuple(tuple(each.values()) for each in together), tuple(now.values()))
    )
    if tonight.references:
        before = [
            tuple(map(fmean, night.references.values()))
            for label, night in history.items()
            if night.references and REFERENCE not in slower.get(label, ())
        ]
        found.append(
            Series(target, REFERENCE, "reference", tuple(before), tuple(map(fmean, tonight.references.values())))
        )
    return tuple(found)


def _common(night: Night, centres: Mapping[str, float]) -> dict[str, float]:
    """What all canaries of a process have in common: the median of how far each is from its centre, by process."""
    by_process: dict[str, list[float]] = defaultdict(list)
    for key, seen in night.canaries.items():
        if key in centres:
            for process, value in seen.items():
                by_process[process].append(value - centres[key])
    return {process: median(values) for process, values in by_process.items()}


def _own(seen: Mapping[str, float], common: Mapping[str, float]) -> tuple[float, ...]:
    """Of each process the value of a canary without what all have in common."""
    return tuple(value - common.get(process, 0.0) for process, value in seen.items())
