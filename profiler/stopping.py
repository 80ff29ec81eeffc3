"""The stopping rule: when a workload has been measured well enough, or long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyctas.measurement import Normaliser, Protocol, Round, ratios, relative_half_width, undisturbed
from hyctas.target import Target


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Stop once the interval of the median is narrow, within a number of rounds and a time budget.

    Rounds that were disturbed (see :func:`hyctas.measurement.disturbance`) count neither towards the least number of
    rounds nor towards the interval.

    Attributes:
        protocol: The numbers of the rule.
        normaliser: The reference that ratios are taken to.
        target: What is measured; it says what disturbs a round.
    """

    protocol: Protocol
    normaliser: Normaliser
    target: Target

    def finished(self, rounds: Sequence[Round], spent_s: float) -> bool:
        """Whether no further round is needed, or allowed.

        Args:
            rounds: The rounds so far.
            spent_s: Seconds of the workload's own runs so far.
        """
        if len(rounds) >= self.protocol.max_rounds or spent_s >= self.protocol.budget_s:
            return True
        return self.settled(rounds)

    def settled(self, rounds: Sequence[Round]) -> bool:
        """Whether there are enough good rounds and their interval is narrow."""
        good = undisturbed(rounds, self.protocol, self.target)
        if len(good) < self.protocol.min_rounds:
            return False
        return relative_half_width(ratios(good, self.normaliser)) <= self.protocol.relative_half_width
