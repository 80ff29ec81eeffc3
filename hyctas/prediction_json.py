"""Predictions as JSON, in milliseconds: what ``POST /predict`` and ``hyctas predict`` answer and the client reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from hyctas.errors import ClientError
from hyctas.prediction import Contribution, ExpectedError, Prediction, Tier

_MS: Final = 1e3


class WireContribution(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one part adds; see :class:`hyctas.prediction.Contribution`. Without an entry there is no such field."""

    part: str
    kind: str
    latency_ms: float
    source: Literal["measured", "free", "estimated"]
    entry: str = ""


class WirePrediction(msgspec.Struct, frozen=True):
    """A prediction on the wire; see :class:`hyctas.prediction.Prediction`."""

    key: str
    latency_ms: float
    low_ms: float
    high_ms: float
    coverage: float
    tier: Tier
    breakdown: tuple[WireContribution, ...] | None
    unsupported: tuple[str, ...]
    expected_error: ExpectedError | None
    model_id: str | None


def prediction_to_wire(key: str, prediction: Prediction) -> WirePrediction:
    """The answer for the architecture with that key; the breakdown is null unless it was asked for."""
    breakdown = tuple(
        WireContribution(c.part, c.kind, c.latency_s * _MS, c.source, c.entry) for c in prediction.breakdown
    )
    return WirePrediction(
        key=key,
        latency_ms=prediction.latency_s * _MS,
        low_ms=prediction.low_s * _MS,
        high_ms=prediction.high_s * _MS,
        coverage=prediction.coverage,
        tier=prediction.tier,
        breakdown=breakdown or None,
        unsupported=prediction.unsupported,
        expected_error=prediction.expected_error,
        model_id=prediction.model_id,
    )


def prediction_to_json(key: str, prediction: Prediction) -> dict[str, Any]:
    """The same as a JSON object."""
    document: dict[str, Any] = msgspec.to_builtins(prediction_to_wire(key, prediction))
    return document


def prediction_from_json(document: Mapping[str, Any]) -> Prediction:
    """Read an answer back.

    Raises:
        ClientError: It does not have the form of a prediction; does the server run another version?
    """
    try:
        wire = msgspec.convert(document, WirePrediction)
    except msgspec.ValidationError as error:
        raise ClientError(f"the server's prediction has another form than expected: {error}") from error
    return Prediction(
        latency_s=wire.latency_ms / _MS,
        low_s=wire.low_ms / _MS,
        high_s=wire.high_ms / _MS,
        coverage=wire.coverage,
        tier=wire.tier,
        breakdown=tuple(
            Contribution(c.part, c.kind, c.latency_ms / _MS, c.source, c.entry) for c in wire.breakdown or ()
        ),
        unsupported=wire.unsupported,
        model_id=wire.model_id,
        expected_error=wire.expected_error,
    )
