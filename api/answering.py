"""The hot path: from the body of ``POST /predict`` to that of its answer, without a graph or a framework."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from api.problem import Problem, ProblemError, invalid, plain
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import decode_defaults, decode_each
from hyctas.document import relocated
from hyctas.errors import InvalidArchitecture, InvalidInput
from hyctas.fasterseg_table import check_release_lookup
from hyctas.prediction import Prediction, Tier
from hyctas.prediction_json import WirePrediction, prediction_to_wire
from predictor.measured import MeasuredNetwork, measured_prediction
from predictor.model import Predictor

MAX_ARCHITECTURES: Final = 4096
AT_ONCE: Final = 256
"""Networks that a predictor gets at once; it serves others in between."""
_MS: Final = 1e3


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /predict``: a target, and one architecture or several.

    Attributes:
        target: Full name, or the local name if one device only has it.
        architecture: One architecture, in version 1 or the release format.
        architectures: Several.
        defaults: What release formats do not carry.
        model_id: Ask this model, which may be an old one.
        measured_until: Use no measurement stored after this time.
        release_lookup: Look operators up as FasterSeg's release does; measured networks are predicted too then.
    """

    target: str
    architecture: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    architectures: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    defaults: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    model_id: str | None = None
    measured_until: datetime | None = None
    release_lookup: bool = False


class PredictionProblem(msgspec.Struct, frozen=True):
    """What stands in place of a prediction for an architecture that is not one."""

    error: Problem


class BatchAnswer(msgspec.Struct, frozen=True):
    """Answer to several architectures, in their order; a bad one has its problem in its place."""

    predictions: list[WirePrediction | PredictionProblem]


class Models(Protocol):
    """Where predictors and measured networks come from."""

    def predictor(self, target: str, model_id: str | None) -> Predictor:
        """The model with that id, or the target's newest.

        Raises:
            UnknownTarget: Nothing is known about the target.
            UnknownModel: There is no such model for it.
        """

    def measured(self, target: str, until: datetime | None) -> Mapping[str, MeasuredNetwork]:
        """Measured networks of a target by architecture key."""


class Answerer:
    """Answers prediction requests from `models`; safe to share between threads.

    Args:
        models: Where predictors and measured networks come from.
        counted: Told how many networks were answered at each tier.
    """

    def __init__(self, models: Models, *, counted: Callable[[Mapping[Tier, int]], None] = lambda tiers: None) -> None:
        self._models = models
        self._counted = counted
        self._requests = msgspec.json.Decoder(PredictRequest)
        self._encoder = msgspec.json.Encoder()

    def answer(self, body: bytes, *, breakdown: bool = False) -> bytes:
        """The body of the answer.

        Raises:
            ProblemError: The request as a whole is wrong.
            UnknownTarget: Nothing is known about the target.
            UnknownModel: There is no such model for it.
        """
        request = self._decode(body)
        predictor = self._models.predictor(request.target, request.model_id)
        measured = self._models.measured(predictor.target, request.measured_until)
        items, at = _items(request)
        found = decode_each(items, _defaults(request), at=at)
        if request.release_lookup:
            found = [_looked_up(item, f"{at}[{index}]") for index, item in enumerate(found)]
        if request.architecture is not msgspec.UNSET:
            found = [_relocated(item) for item in found]
        networks = [item for item in found if isinstance(item, Architecture)]
        if request.release_lookup:
            predictions = _as_released(networks, predictor, breakdown=breakdown)
        else:
            predictions = _answers(networks, predictor, measured, breakdown=breakdown)
        self._counted(Counter([prediction.tier for prediction in predictions]))
        answers = iter(predictions)
        results = [
            PredictionProblem(invalid(item)) if isinstance(item, InvalidArchitecture) else next(answers)
            for item in found
        ]
        if request.architecture is msgspec.UNSET:
            return self._encoder.encode(BatchAnswer(results))
        if isinstance(results[0], PredictionProblem):
            raise ProblemError(results[0].error)
        return self._encoder.encode(results[0])

    def _decode(self, body: bytes) -> PredictRequest:
        try:
            return self._requests.decode(body)
        except msgspec.ValidationError as error:
            raise ProblemError(
                Problem("invalid request", HTTPStatus.UNPROCESSABLE_ENTITY, str(error), path=_path_in(str(error)))
            ) from error
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ProblemError(plain(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}")) from error


def _items(request: PredictRequest) -> tuple[Sequence[msgspec.Raw], str]:
    """The architectures of a request, and the JSON path of where they stand."""
    one, several = request.architecture, request.architectures
    if isinstance(one, msgspec.Raw) == isinstance(several, list):
        raise _refused("$", "both" if isinstance(several, list) else "neither", "architecture or architectures")
    if isinstance(one, msgspec.Raw):
        return (one,), "$.architecture"
    assert isinstance(several, list)
    if not 1 <= len(several) <= MAX_ARCHITECTURES:
        raise _refused("$.architectures", len(several), f"1 to {MAX_ARCHITECTURES} architectures")
    return several, "$.architectures"


def _refused(path: str, value: object, allowed: str) -> ProblemError:
    return ProblemError(invalid(InvalidInput(path, value, allowed)))


def _relocated(item: Architecture | InvalidArchitecture) -> Architecture | InvalidArchitecture:
    """An error of the only architecture, told at its own path rather than as the first of an array."""
    if isinstance(item, Architecture):
        return item
    return InvalidArchitecture(item.path.replace("$.architecture[0]", "$.architecture", 1), item.value, item.allowed)


def _defaults(request: PredictRequest) -> ArchitectureDefaults | None:
    if not isinstance(request.defaults, msgspec.Raw) or bytes(request.defaults) == b"null":
        return None
    try:
        return decode_defaults(msgspec.json.decode(request.defaults))
    except InvalidInput as error:
        raise ProblemError(invalid(error)) from error


def _answers(
    networks: Sequence[Architecture],
    predictor: Predictor,
    measured: Mapping[str, MeasuredNetwork],
    *,
    breakdown: bool,
) -> list[WirePrediction]:
    """An answer for each network: its measurement if there is one, else a prediction."""
    if breakdown:
        return [_with_breakdown(network, predictor, measured) for network in networks]
    answers: list[WirePrediction] = []
    for start in range(0, len(networks), AT_ONCE):
        answers += _predicted(networks[start : start + AT_ONCE], predictor)
    if measured:
        answers = [_measured(answer.key, measured) or answer for answer in answers]
    return answers


def _looked_up(item: Architecture | InvalidArchitecture, at: str) -> Architecture | InvalidArchitecture:
    """An architecture that FasterSeg's release could look up, or why it could not."""
    if isinstance(item, Architecture):
        try:
            check_release_lookup(item)
        except InvalidArchitecture as error:
            return relocated(error, at)
    return item


def _as_released(networks: Sequence[Architecture], predictor: Predictor, *, breakdown: bool) -> list[WirePrediction]:
    """Predictions under the look-up of FasterSeg's release; what was measured is left out of account."""
    predictions = predictor.predict(networks, breakdown=breakdown, release_lookup=True)
    return [prediction_to_wire(network.key, found) for network, found in zip(networks, predictions, strict=True)]


def _predicted(networks: Sequence[Architecture], predictor: Predictor) -> list[WirePrediction]:
    batch = predictor.predict_batch(networks)
    coverage, model_id = predictor.knowledge.intervals.coverage, predictor.model_id
    expected = predictor.knowledge.expected_error
    columns = (batch.latency_s * _MS, batch.low_s * _MS, batch.high_s * _MS)
    return [
        WirePrediction(
            network.key,
            latency_ms,
            low_ms,
            high_ms,
            coverage,
            tier,
            None,
            unsupported,
            expected if tier == "learned" else None,
            model_id,
        )
        for network, latency_ms, low_ms, high_ms, tier, unsupported in zip(
            networks, *(column.tolist() for column in columns), batch.tiers, batch.unsupported, strict=True
        )
    ]


def _measured(key: str, measured: Mapping[str, MeasuredNetwork]) -> WirePrediction | None:
    network = measured.get(key)
    return None if network is None else prediction_to_wire(key, measured_prediction(network))


def _with_breakdown(
    network: Architecture, predictor: Predictor, measured: Mapping[str, MeasuredNetwork]
) -> WirePrediction:
    """An answer with what each part contributes; that of a measured network is scaled to its measurement."""
    predicted = predictor.predict([network], breakdown=True)[0]
    known = measured.get(network.key)
    if known is None:
        return prediction_to_wire(network.key, predicted)
    return prediction_to_wire(network.key, _scaled_breakdown(measured_prediction(known), predicted))


def _scaled_breakdown(measured: Prediction, predicted: Prediction) -> Prediction:
    factor = measured.latency_s / predicted.latency_s
    parts = tuple(replace(part, latency_s=part.latency_s * factor) for part in predicted.breakdown)
    return replace(measured, breakdown=parts)


def _path_in(message: str) -> str:
    """The JSON path that msgspec's message names (``... - at `$.target```); the root if it names none."""
    _, found, path = message.rpartition("at `")
    return path.rstrip("`") if found else "$"
