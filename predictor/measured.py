"""The tier above all models: the very network was measured on the very target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hyctas.prediction import Prediction
from predictor.intervals import COVERAGE

_NORMAL_90: Final = 1.6449
"""A standard normal lies within this of 0 with probability 0.9."""
_NORMAL_95: Final = 1.96


@dataclass(frozen=True, slots=True)
class MeasuredNetwork:
    """A stored end-to-end latency.

    Attributes:
        latency_s: Seconds.
        half_width: Relative half-width of its 95 % interval within its process; None where others measured it and do
            not tell: then there is no interval, and the coverage of the answer is 0.
        process_error: Relative standard deviation between processes on this target, from its calibration.
    """

    latency_s: float
    half_width: float | None
    process_error: float

    @property
    def spread(self) -> float:
        """Half-width of the 90 % interval on the logarithm: noise within and between processes together."""
        if self.half_width is None:
            return 0.0
        return _NORMAL_90 * math.hypot(self.half_width / _NORMAL_95, self.process_error)


def measured_prediction(network: MeasuredNetwork) -> Prediction:
    """The answer for a network that was measured; no model is behind it, so there is no model id."""
    spread = math.exp(network.spread)
    return Prediction(
        latency_s=network.latency_s,
        low_s=network.latency_s / spread,
        high_s=network.latency_s * spread,
        coverage=0.0 if network.half_width is None else COVERAGE,
        tier="measured",
        breakdown=(),
        unsupported=(),
        model_id=None,
        expected_error=None,
    )
