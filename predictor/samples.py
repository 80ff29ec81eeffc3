"""What a predictor learns from: plain values, converted from the database at the edge."""

from __future__ import annotations

from dataclasses import dataclass

from hyctas.architecture import Architecture
from hyctas.parts import Part


@dataclass(frozen=True, slots=True)
class NetworkSample:
    """A measured network.

    Attributes:
        architecture: The network.
        latency_s: Its end-to-end latency in seconds.
        calibrates: Whether it may calibrate intervals: False where it was chosen because of its prediction.
    """

    architecture: Architecture
    latency_s: float
    calibrates: bool = True


@dataclass(frozen=True, slots=True)
class OperatorSample:
    """A measured operator.

    Attributes:
        part: The operator and its sizes.
        latency_s: Latency alone, in seconds.
        marginal_s: What it adds inside a chain, or None where it cannot be chained or was not measured.
        entry: Its key in a published table, which is counted as it stands; empty where it was measured for this.
    """

    part: Part
    latency_s: float
    marginal_s: float | None = None
    entry: str = ""

    @property
    def plausible_marginal_s(self) -> float | None:
        """The marginal latency where that is a plausible number, else None.

        It is a difference of two measurements, so noise can drive that of a tiny operator to nothing.
        """
        if self.marginal_s is None or not 0.2 * self.latency_s < self.marginal_s < 1.5 * self.latency_s:
            return None
        return self.marginal_s
