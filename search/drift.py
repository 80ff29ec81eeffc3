"""How far predicted latencies of a front are from measured ones.

A search selects what was predicted too fast, so the error on its front is larger than on a random sample. This is where
that bias is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.evolution.front import hypervolume

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drift:
    """Predicted against measured latency of networks on one target.

    Attributes:
        networks: How many were measured.
        mape: Mean of |predicted / measured - 1|.
        bias: Mean of predicted / measured - 1; below 0 the front was predicted too fast.
        worst: Largest |predicted / measured - 1|.
        inversions: Pairs that the prediction orders the other way round.
        pairs: All pairs.
        coverage: Share whose measured latency lies in the predicted interval.
        nominal_coverage: What the intervals promise.
        hypervolume_lost: Share of the hypervolume at predicted latencies that is missing at measured ones; negative
            where the networks are faster than predicted. None without a reference point.
    """

    networks: int
    mape: float
    bias: float
    worst: float
    inversions: int
    pairs: int
    coverage: float
    nominal_coverage: float
    hypervolume_lost: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Networks of a front, predicted and measured on one target; arrays of one length, times in seconds.

    Attributes:
        miou: Quality of each.
        predicted_s: Predicted latency.
        low_s: Lower end of its interval.
        high_s: Upper end.
        measured_s: Measured latency.
        nominal_coverage: What the intervals promise.
    """

    miou: Array
    predicted_s: Array
    low_s: Array
    high_s: Array
    measured_s: Array
    nominal_coverage: float


def drift(compared: Comparison, reference: tuple[float, float] | None = None) -> Drift | None:
    """Sum up a comparison; None if nothing was measured.

    Args:
        compared: Networks, predicted and measured.
        reference: Point (1 - mIoU, log latency) up to which hypervolume counts.
    """
    count = len(compared.measured_s)
    if not count:
        return None
    error = compared.predicted_s / compared.measured_s - 1.0
    inside = (compared.low_s <= compared.measured_s) & (compared.measured_s <= compared.high_s)
    return Drift(
        networks=count,
        mape=float(np.abs(error).mean()),
        bias=float(error.mean()),
        worst=float(np.abs(error).max()),
        inversions=_inversions(compared.predicted_s, compared.measured_s),
        pairs=count * (count - 1) // 2,
        coverage=float(inside.mean()),
        nominal_coverage=compared.nominal_coverage,
        hypervolume_lost=None if reference is None else _hypervolume_lost(compared, reference),
    )


def _inversions(first: Array, second: Array) -> int:
    """Pairs whose order differs strictly between two arrays."""
    left = np.sign(first[:, None] - first[None, :])
    right = np.sign(second[:, None] - second[None, :])
    return int((left * right < 0).sum()) // 2


def _hypervolume_lost(compared: Comparison, reference: tuple[float, float]) -> float | None:
    point = np.array(reference)
    predicted = hypervolume(np.column_stack([1.0 - compared.miou, np.log(compared.predicted_s)]), point)
    measured = hypervolume(np.column_stack([1.0 - compared.miou, np.log(compared.measured_s)]), point)
    return 1.0 - measured / predicted if predicted > 0 else None
