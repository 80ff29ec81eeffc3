"""The OpenAPI description of ``POST /predict``, which the framework does not see, with worked examples.

Schemas are derived from the structs that the hot path reads and writes, so they cannot drift from it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.answering import MAX_ARCHITECTURES, PredictionProblem, PredictRequest
from api.examples import ANSWER, REQUESTS, TOO_NARROW
from api.problem import MEDIA_TYPE, Problem
from hyctas.prediction_json import WirePrediction
from hyctas.wire import WireArchitecture

DESCRIPTION: Final = (
    "Latency of neural networks on a device, without the device. Ask `POST /predict`; everything else says what "
    "can be asked and what the answers rest on. Errors are `application/problem+json`."
)
_NAMES: Final = {"WirePrediction": "Prediction", "WireArchitecture": "Architecture", "WireContribution": "Contribution"}
_STRUCTS: Final = (PredictRequest, WirePrediction, PredictionProblem, Problem, WireArchitecture)
_PREFIX: Final = "#/components/schemas/"
_FAILURES: Final = {
    "400": "The body is not JSON.",
    "401": "The server wants a key.",
    "404": "Unknown target or model; the known ones are listed.",
    "408": "The body came too slowly.",
    "413": "The body is too long.",
    "422": "A value is not allowed; its JSON path is named.",
    "503": "Too many requests at once, or a model cannot be read; come back after Retry-After seconds.",
}


def describe_predict(app: FastAPI) -> None:
    """Make the OpenAPI document of `app` hold ``POST /predict`` and problem documents."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            document["paths"] = {"/predict": {"post": _operation()}, **document["paths"]}
            document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
            _describe_validation_as_problems(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _operation() -> dict[str, Any]:
    return {
        "tags": ["prediction"],
        "summary": "Predict latencies",
        "description": "One architecture gets one answer. Several get `predictions` in their order; one that is not "
        "an architecture has `error` in its place and the others their predictions.",
        "operationId": "predict",
        "parameters": [
            {
                "name": "breakdown",
                "in": "query",
                "description": "Add what each part contributes.",
                "schema": {"type": "boolean", "default": False},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference("PredictRequest"), "examples": REQUESTS}},
        },
        "responses": {"200": _answer(), **{status: _problem(text) for status, text in _FAILURES.items()}},
    }


def _answer() -> dict[str, Any]:
    schema = {"anyOf": [_reference("Prediction"), _reference("BatchAnswer")]}
    examples = {
        "one": {"summary": "To one architecture", "value": ANSWER},
        "batch": {
            "summary": "To several, one of them wrong",
            "value": {"predictions": [ANSWER, {"error": TOO_NARROW}]},
        },
    }
    return {"description": "Predictions.", "content": {"application/json": {"schema": schema, "examples": examples}}}


def _schemas() -> dict[str, Any]:
    """Component schemas of the hot path."""
    _, found = msgspec.json.schema_components(_STRUCTS, ref_template=_PREFIX + "{name}")
    text = json.dumps(found)
    for name, public in _NAMES.items():
        text = text.replace(f'"{name}"', f'"{public}"').replace(f'{_PREFIX}{name}"', f'{_PREFIX}{public}"')
    schemas: dict[str, Any] = json.loads(text)
    wanted = {"anyOf": [_reference("Architecture"), _reference("ReleaseArchitecture")]}
    fields = schemas["PredictRequest"]["properties"]
    fields["architecture"] = wanted
    fields["architectures"] = {"type": "array", "items": wanted, "minItems": 1, "maxItems": MAX_ARCHITECTURES}
    fields["defaults"] = {"type": "object", "description": "Settings that release formats do not carry."}
    answers = {"anyOf": [_reference("Prediction"), _reference("PredictionProblem")]}
    schemas["BatchAnswer"] = {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": answers}},
        "required": ["predictions"],
    }
    schemas["ReleaseArchitecture"] = _release_schema()
    return schemas


def _release_schema() -> dict[str, Any]:
    numbers = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    names = ("ops", "paths", "downs", "widths")
    return {
        "type": "object",
        "description": "The format of the networks released with HyCTAS and FasterSeg: one list a branch.",
        "properties": {**dict.fromkeys(names, numbers), "lasts": {"type": "array", "items": {"type": "integer"}}},
        "required": [*names, "lasts"],
    }


def _describe_validation_as_problems(document: dict[str, Any]) -> None:
    """Replace the framework's own description of 422, which this server never sends."""
    for path in document["paths"].values():
        for operation in path.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"] = _problem(_FAILURES["422"])
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": _reference("Problem")}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _PREFIX + name}
