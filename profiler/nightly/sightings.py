"""What processes saw of canaries, by night."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


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
