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
    """

    part: Part
    latency_s: float
    marginal_s: float | None = None

    @property
    def cost_s(self) -> float:
        """The better guess at what it adds to a network: the marginal latency where that is a plausible number.

        A marginal latency is a difference of two measurements, so noise can drive that of a tiny operator to
        nothing; then the latency alone stands.
        """
        plausible = self.marginal_s is not None and 0.2 * self.latency_s < self.marginal_s < 1.5 * self.latency_s
        return self.marginal_s if plausible and self.marginal_s is not None else self.latency_s
