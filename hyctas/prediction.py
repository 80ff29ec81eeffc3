"""A predicted latency, and how far it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tier = Literal["measured", "learned", "extrapolated", "additive", "estimated"]


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """How wrong this kind of prediction was on held-out networks.

    Attributes:
        mape: Mean absolute percentage error, as a share (0.02 is 2 %).
        within_5: Share of held-out networks within 5 % of their measured latency.
        within_10: The same within 10 %.
        networks: How many held-out networks these come from.
    """

    mape: float
    within_5: float
    within_10: float
    networks: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one part of a network adds to its predicted latency; the parts sum to the whole.

    Attributes:
        part: ``"stem"``, ``"branches[0].cells[3]"``, ``"fusion"``, ``"head"`` ...
        kind: The operator's kind.
        latency_s: Seconds it adds.
        source: ``"measured"`` where the operator was measured on this target, ``"free"`` where the table that has the
            others counts nothing for it, else ``"estimated"``.
        entry: Its key in the published table that its cost is from; empty where there is none.
    """

    part: str
    kind: str
    latency_s: float
    source: Literal["measured", "free", "estimated"]
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """End-to-end latency of one network on one target.

    Attributes:
        latency_s: Predicted latency, in seconds.
        low_s: Lower end of the interval.
        high_s: Upper end of the interval.
        coverage: The interval's nominal coverage, such as 0.9.
        tier: How the prediction came about; see DESIGN: measured, learned, extrapolated, additive, estimated.
        breakdown: Contributions of the parts; empty unless asked for.
        unsupported: Names of parts for which no cost is known at all, or that were only estimated.
        model_id: The model that answered, or None for a measured network without a model.
        expected_error: Held-out error of this tier, or None where none was measured.
    """

    latency_s: float
    low_s: float
    high_s: float
    coverage: float
    tier: Tier
    breakdown: tuple[Contribution, ...]
    unsupported: tuple[str, ...]
    model_id: str | None
    expected_error: ExpectedError | None
