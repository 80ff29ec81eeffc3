"""Whether a new predictor is no worse than another one, on networks that the new one has not seen.

Both predict the same held-out networks, and their relative errors are compared pair by pair, so that a hard network
counts against both. Held-out networks stay held out as more are measured (:func:`predictor.cli.data.read_data`), so an
older model of the same seed has seen hardly any of them either; where it has, that speaks for the older one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictor.model import Predictor
from predictor.samples import NetworkSample

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two predictors on the same networks.

    Attributes:
        than: Id of the older model.
        networks: Held-out networks.
        mape: Mean absolute relative error of the new predictor.
        mape_before: That of the older one.
        difference: Mean over networks of new minus old error.
        low: Lower end of the 95 % interval of `difference`; None under two networks.
        high: Its upper end.
        tolerance: Share of `mape_before` by which the new error may exceed it.
    """

    than: str
    networks: int
    mape: float
    mape_before: float
    difference: float
    low: float | None
    high: float | None
    tolerance: float

    @property
    def no_worse(self) -> bool:
        """Whether the new error is at most the old one and the tolerance."""
        return self.difference <= self.tolerance * self.mape_before

    @property
    def reason(self) -> str:
        """The same in words."""
        return (
            f"{'no worse' if self.no_worse else 'worse'} than {self.than} on {self.networks} held-out networks: "
            f"mean error {self.mape:.2%} after {self.mape_before:.2%}, up to {self.tolerance:.0%} of that allowed"
        )


def compare(new: Predictor, old: Predictor, held_out: Sequence[NetworkSample], *, tolerance: float) -> Comparison:
    """Compare two predictors on networks; what was measured is never looked up.

    Args:
        new: The new one.
        old: The older one.
        held_out: Networks that `new` was not trained on.
        tolerance: Share of the old error by which the new one may exceed it.

    Raises:
        ValueError: There is no network.
    """
    if not held_out:
        raise ValueError("there is no network to compare on")
    errors, before = (relative_errors(predictor, held_out) for predictor in (new, old))
    differences = errors - before
    mean = float(differences.mean())
    half = 1.96 * float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else None
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Comparison(
        old.model_id, len(held_out), float(errors.mean()), float(before.mean()), mean, low, high, tolerance
    )


def relative_errors(predictor: Predictor, networks: Sequence[NetworkSample]) -> Array:
    """Absolute relative error of each network's predicted latency."""
    predicted_s = predictor.predict_batch([sample.architecture for sample in networks]).latency_s
    measured_s = np.array([sample.latency_s for sample in networks])
    found: Array = np.abs(predicted_s - measured_s) / measured_s
    return found
