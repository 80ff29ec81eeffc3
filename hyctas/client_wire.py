"""What the client sends and what it makes of the answers; no input or output happens here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx
import msgspec

from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.client_values import MeasurementQuery
from hyctas.errors import (
    ClientError,
    HyctasError,
    InvalidArchitecture,
    RequestRejected,
    ServerUnavailable,
    UnknownModel,
    UnknownTarget,
)
from hyctas.prediction import Prediction
from hyctas.prediction_json import prediction_from_json

T = TypeVar("T")
Asked = Architecture | Mapping[str, Any]
"""An architecture, or the JSON of one in either format."""
Answer = Prediction | InvalidArchitecture
"""In a batch, an architecture that is none has its error in its place."""

MAX_BATCH: Final = 256
"""Architectures in one request; more are split, so that none of them takes long."""
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What holds for all architectures of a prediction request.

    Attributes:
        target: Name of the target; without the device if the server knows one device only.
        defaults: Settings that the release format does not carry.
        breakdown: Ask what each part contributes.
        model_id: Ask this model instead of the newest.
        measured_until: Use no measurement stored after this time.
        release_lookup: Look operators up as FasterSeg's release does, whose stored latencies that repeats.
    """

    target: str
    defaults: Mapping[str, Any] | None = None
    breakdown: bool = False
    model_id: str | None = None
    measured_until: datetime | None = None
    release_lookup: bool = False

    def about(self, architecture: Asked) -> Call:
        """The request for one architecture."""
        return self._call({"architecture": _document(architecture)})

    def about_each(self, architectures: Sequence[Asked]) -> Call:
        """The request for several."""
        return self._call({"architectures": [_document(architecture) for architecture in architectures]})

    def _call(self, asked: Mapping[str, Any]) -> Call:
        pins: dict[str, Any] = {
            "defaults": self.defaults,
            "model_id": self.model_id,
            "measured_until": self.measured_until,
        }
        given = {name: value for name, value in pins.items() if value is not None}
        if self.release_lookup:
            given["release_lookup"] = True
        body = msgspec.json.encode({"target": self.target, **asked, **given})
        return Call("POST", "/predict", {"breakdown": "true"} if self.breakdown else {}, body)


class _Problem(msgspec.Struct, frozen=True):
    """A problem document; fields as in RFC 9457, and the server's own."""

    title: str
    status: int
    detail: str
    path: str | None = None
    value: Any = None
    allowed: str | None = None
    known: tuple[str, ...] = ()


def parts(architectures: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """Split architectures into batches of at most :data:`MAX_BATCH`."""
    for start in range(0, len(architectures), MAX_BATCH):
        yield architectures[start : start + MAX_BATCH]


def page_of(wanted: MeasurementQuery, size: int, after_id: int) -> Call:
    """The request for a page of measurements."""
    return Call("GET", "/measurements", {**wanted.params, "limit": str(size), "after_id": str(after_id)})


def one_answer(response: httpx.Response) -> Prediction:
    """The prediction in the answer to one architecture."""
    return prediction_from_json(decoded(response, dict[str, Any]))


def each_answer(response: httpx.Response, count: int) -> list[Answer]:
    """The predictions and errors in the answer to `count` architectures.

    Raises:
        ClientError: There are more or fewer, or they have another form.
    """
    answers = decoded(response, dict[str, list[dict[str, Any]]]).get("predictions", [])
    if len(answers) != count:
        raise ClientError(f"the server answered {len(answers)} architectures of {count}")
    return [_invalid(_problem(item["error"])) if "error" in item else prediction_from_json(item) for item in answers]


def at_index(answer: Answer, index: int) -> Prediction:
    """The prediction.

    Raises:
        InvalidArchitecture: It is an error; its path begins with the index of the architecture.
    """
    if isinstance(answer, InvalidArchitecture):
        raise InvalidArchitecture(f"$[{index}]{answer.path.removeprefix('$')}", answer.value, answer.allowed)
    return answer


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """The body of an answer as a value.

    Raises:
        ClientError: It has another form.
    """
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise ClientError(f"{response.url}: the answer has another form than expected: {error}") from error


def failure(response: httpx.Response) -> HyctasError:
    """The exception that an answer other than a success stands for."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        phrase = response.reason_phrase or str(response.status_code)
        problem = _Problem(phrase, response.status_code, response.text[:_SHOWN_CHARACTERS] or "no explanation")
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServerUnavailable(f"{response.url}: {problem.detail}")
    if problem.title in ("unknown target", "unknown model"):
        return (UnknownTarget if problem.title == "unknown target" else UnknownModel)(
            _asked_name(response, problem.title), problem.known
        )
    if problem.path is not None and problem.path.startswith("$.architecture") and problem.allowed is not None:
        return _invalid(problem)
    return RequestRejected(response.status_code, problem.title, problem.detail)


def _asked_name(response: httpx.Response, title: str) -> str:
    """The name that the server does not know, as the request gave it."""
    request = response.request
    name = "target" if title == "unknown target" else "model_id"
    if request.method == "POST":
        return str(msgspec.json.decode(request.content).get(name, ""))
    return request.url.params.get(name) or request.url.path.rpartition("/")[2]


def _invalid(problem: _Problem) -> InvalidArchitecture:
    """The error of one architecture, with its path inside of it."""
    path = problem.path or "$"
    if path.startswith("$.architectures["):
        path = "$" + path.partition("]")[2]
    path = "$" + path.removeprefix("$.architecture") if path.startswith("$.architecture") else path
    return InvalidArchitecture(path, problem.value, problem.allowed or problem.detail)


def _problem(document: object) -> _Problem:
    try:
        return msgspec.convert(document, _Problem)
    except msgspec.ValidationError as error:
        raise ClientError(f"the server's error has another form than expected: {error}") from error


def _document(architecture: Asked) -> Mapping[str, Any]:
    return to_json(architecture) if isinstance(architecture, Architecture) else architecture
