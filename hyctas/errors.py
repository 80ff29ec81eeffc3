"""Every exception that hyctas raises on purpose, as one tree.

::

    HyctasError
    ├── InvalidInput                 a value from outside is wrong: path, value, what is allowed
    │   ├── InvalidArchitecture
    │   └── InvalidTarget
    ├── NotFound                     a name that nothing answers to; lists what exists
    │   ├── UnknownTarget
    │   ├── UnknownModel
    │   └── UnknownJob
    ├── GraphError                   a graph that cannot be built, keyed or written
    │   └── UnsupportedNode
    ├── MeasuringError
    │   ├── RuntimeUnavailable       why, and what to install
    │   └── NotCalibrated
    ├── StorageError                 disk full, read-only, locked, unreachable
    │   └── SchemaMismatch           a database written by another version
    ├── ArtifactError                a model file that is not what its manifest says
    │   └── ChecksumMismatch
    ├── SearchError
    │   ├── DatasetError             a data set that is not laid out as its name says, or holds what it must not
    │   ├── PredictorUnavailable     the server gave no latencies for too long; the search can be resumed
    │   ├── TrainingDiverged         a loss that is not finite; names the architecture and the step
    │   └── CheckpointMismatch       a checkpoint of another supernet, data set or search
    ├── InsufficientData             too few measurements to learn from; how many, and how to get more
    ├── CommandFailed                a command that the quick start runs ended with an error
    └── ClientError                  the HTTP client
        ├── ConnectionFailed         nothing answered, after all retries
        ├── ServerUnavailable        503, after all retries
        └── RequestRejected          a problem+json answer, kept whole

A failed *measurement* is not in this tree: it is a value (:class:`hyctas.measurement.Failure`).
"""

from __future__ import annotations

from collections.abc import Sequence


class HyctasError(Exception):
    """Root of all errors of hyctas; the command line prints its message and exits with 1."""


class InvalidInput(HyctasError, ValueError):
    """A value given by the user is not allowed.

    Args:
        path: Where the value stands, as a JSON path (``$.branches[0].cells[3].op``) or an option name.
        value: The offending value.
        allowed: What would have been accepted, in words.
    """

    def __init__(self, path: str, value: object, allowed: str) -> None:
        self.path = path
        self.value = value
        self.allowed = allowed
        super().__init__(f"{path}: {_shown(value)} is not allowed; expected {allowed}")


class InvalidArchitecture(InvalidInput):
    """An architecture description breaks the format or the search space."""


class InvalidTarget(InvalidInput):
    """A target name does not parse, or this machine cannot be that target."""


class NotFound(HyctasError, LookupError):
    """A name that nothing answers to.

    Args:
        what: The kind of thing, such as ``"target"``.
        name: The name that was asked for.
        known: The names that exist.
    """

    what = "name"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        listed = ", ".join(self.known) if self.known else "none yet"
        super().__init__(f"unknown {self.what} {_shown(name)}; known: {listed}")


class UnknownTarget(NotFound):
    """No model or measurement exists for that target."""

    what = "target"


class UnknownModel(NotFound):
    """No registered model has that id."""

    what = "model"


class UnknownJob(NotFound):
    """No job in the queue has that id, or more than one begins with it."""

    what = "job"


class GraphError(HyctasError):
    """A graph that cannot be built, keyed or written."""


class UnsupportedNode(GraphError):
    """A node that a form (ONNX, torch) or a runtime does not know."""


class MeasuringError(HyctasError):
    """Profiling cannot start or go on."""


class RuntimeUnavailable(MeasuringError):
    """A runtime cannot be used on this machine; the message says why and what to install."""


class NotCalibrated(MeasuringError):
    """A target has no calibrated reference latency yet."""


class StorageError(HyctasError):
    """The database cannot be read or written."""


class SchemaMismatch(StorageError):
    """The database was written by a newer version of hyctas."""


class ArtifactError(HyctasError):
    """A model artifact is incomplete, malformed or of an unknown schema version."""


class ChecksumMismatch(ArtifactError):
    """A file of an artifact changed since it was written; names the file and both checksums."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        self.path = path
        self.expected = expected
        self.found = found
        super().__init__(f"{path}: SHA-256 is {found}, the manifest says {expected}; train or copy the model again")


class SearchError(HyctasError):
    """A search, or a part of it, cannot start or go on."""


class DatasetError(SearchError):
    """A data set is not laid out as expected, or an image or mask in it cannot be used."""


class PredictorUnavailable(SearchError):
    """The server that predicts latencies did not answer for as long as the search may wait."""


class TrainingDiverged(SearchError):
    """A loss is not finite; the message names the step and the architecture."""


class CheckpointMismatch(SearchError):
    """A checkpoint is unreadable, or belongs to another supernet, data set or search."""


class InsufficientData(HyctasError):
    """Too few measurements to learn from or to evaluate on."""


class CommandFailed(HyctasError):
    """A command that the quick start runs ended with an error, which it printed itself."""


class ClientError(HyctasError):
    """A request of the HTTP client failed."""


class ConnectionFailed(ClientError):
    """No answer from the server after all retries."""


class ServerUnavailable(ClientError):
    """The server answered 503 after all retries."""


class RequestRejected(ClientError):
    """The server refused the request.

    Args:
        status: The HTTP status.
        title: The problem's short title.
        detail: The problem's explanation, which names the JSON path where there is one.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        super().__init__(f"{status} {title}: {detail}")


def _shown(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
