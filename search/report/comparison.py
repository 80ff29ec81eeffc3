"""Predicted against measured latency of the networks that a search had measured, on one target."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from db.records import CandidateLatency
from search.drift import Comparison, Drift, drift
from search.report.evaluated import Evaluated


@dataclass(frozen=True, slots=True)
class ComparedNetwork:
    """A network whose latency was predicted before it was measured.

    Attributes:
        key: Architecture key.
        branches: How many branches it has.
        on_front: Whether it is on the front of all networks.
        miou: The most careful mIoU that is known.
        predicted: The last prediction that did not know the measurement.
        measured_s: Measured latency.
    """

    key: str
    branches: int
    on_front: bool
    miou: float
    predicted: CandidateLatency
    measured_s: float

    @property
    def error(self) -> float:
        """Predicted over measured, less 1: negative where the network was predicted too fast."""
        return self.predicted.predicted_s / self.measured_s - 1.0

    @property
    def inside(self) -> bool:
        """Whether the interval holds the measured latency."""
        return self.predicted.low_s <= self.measured_s <= self.predicted.high_s


@dataclass(frozen=True, slots=True)
class TargetComparison:
    """Predicted against measured on one target.

    Attributes:
        target: Its full name.
        networks: What was measured, in ascending measured latency.
        front: How far the front of all networks drifted; None if none of it was measured.
        everything: The same over all measured networks; None if there are none.
        inversions: Pairs of keys of networks on the front that the prediction orders the other way round: the one
            that is faster when measured comes first.
        front_size: Networks on the front, measured or not.
        unforecast: Measured networks that are left out, since no prediction was made before they were measured.
    """

    target: str
    networks: tuple[ComparedNetwork, ...]
    front: Drift | None
    everything: Drift | None
    inversions: tuple[tuple[str, str], ...]
    front_size: int
    unforecast: int


def comparison(
    candidates: Sequence[Evaluated],
    target: str,
    *,
    front: Collection[str],
    reference: tuple[float, float] | None,
) -> TargetComparison:
    """Compare every candidate that was evaluated and measured on a target.

    Args:
        candidates: Everything that was scored.
        target: Full name.
        front: Keys of the networks on the front of all networks.
        reference: Point (1 - mIoU, log latency) up to which hypervolume counts, or None.
    """
    known = [found for found in candidates if found.measured_s(target) is not None and found.miou is not None]
    networks = [compared for found in known if (compared := _compared(found, target, front)) is not None]
    networks.sort(key=lambda network: (network.measured_s, network.key))
    members = [network for network in networks if network.on_front]
    return TargetComparison(
        target=target,
        networks=tuple(networks),
        front=_drift(members, reference),
        everything=_drift(networks, reference),
        inversions=tuple(_inverted(members)),
        front_size=len(front),
        unforecast=len(known) - len(networks),
    )


def _compared(found: Evaluated, target: str, front: Collection[str]) -> ComparedNetwork | None:
    predicted, measured_s, miou = found.forecast(target), found.measured_s(target), found.miou
    if predicted is None or measured_s is None or miou is None:
        return None
    key = found.record.architecture_key
    return ComparedNetwork(key, found.branches, key in front, miou, predicted, measured_s)


def _drift(networks: Sequence[ComparedNetwork], reference: tuple[float, float] | None) -> Drift | None:
    if not networks:
        return None
    compared = Comparison(
        miou=np.array([network.miou for network in networks]),
        predicted_s=np.array([network.predicted.predicted_s for network in networks]),
        low_s=np.array([network.predicted.low_s for network in networks]),
        high_s=np.array([network.predicted.high_s for network in networks]),
        measured_s=np.array([network.measured_s for network in networks]),
        nominal_coverage=float(np.mean([network.predicted.coverage for network in networks])),
    )
    return drift(compared, reference)


def _inverted(networks: Sequence[ComparedNetwork]) -> list[tuple[str, str]]:
    """Pairs of networks, in ascending measured latency, of which the faster was predicted the slower."""
    return [
        (first.key, second.key)
        for first, second in combinations(networks, 2)
        if first.measured_s < second.measured_s and first.predicted.predicted_s > second.predicted.predicted_s
    ]
