"""The noise floor: how far two measurements of the same workload differ.

Half of the difference between two halves of the data is the error of the whole, so the floor is the mean over
workloads of ``|A - B| / mean(A, B) / 2``. A and B come from different processes, or, to compare, from halves of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean, median

from hyctas.measurement import Measurement, Normaliser


def noise_floor(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Mean half relative difference over pairs of latencies; None without any pair."""
    halves = [abs(a - b) / ((a + b) / 2) / 2 for a, b in pairs]
    return fmean(halves) if halves else None


def split_halves(measurement: Measurement, normaliser: Normaliser) -> tuple[float, float] | None:
    """Ratios of the first and of the second half of a measurement's rounds; None under two rounds."""
    ratios = measurement.ratios(normaliser)
    middle = len(ratios) // 2
    return (median(ratios[:middle]), median(ratios[middle:])) if middle else None
