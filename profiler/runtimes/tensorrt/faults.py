"""Why a model did not become an engine: what TensorRT logged, as one of our errors.

Builder and parser return nothing on failure and log the reason, so the words of the log decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from hyctas.errors import MeasuringError
from profiler.faults import is_out_of_memory
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.tensorrt.cuda import DeviceLost

_UNSUPPORTED: Final = re.compile(
    r"could not find any implementation|no tactics to implement|not supported|unsupported", re.IGNORECASE
)
_LOST: Final = re.compile(
    r"illegal memory access|illegal instruction|unspecified launch failure|device-side assert", re.I
)
"""The process cannot use the device any more."""
_ECHO: Final = re.compile(r"cudaError 35|catchCudaError")
"""Follows every error of a machine without a driver, and is never the reason."""
_LONGEST: Final = 600


class BuildFailed(MeasuringError):
    """TensorRT gave up on a model that it should be able to build; becomes a failed measurement."""


class BuildOutOfMemory(BuildFailed, MemoryError):
    """A build ran out of device or host memory."""


def parser_failure(parser: Any, version: str) -> MeasuringError:
    """The error of an ONNX parser that refused a model; names the nodes, which have the names of the graph."""
    reasons = [_reason_of(parser.get_error(index)) for index in range(parser.num_errors)]
    text = f"{version} cannot parse {'; '.join(reasons) or 'the model, and does not say why'}"
    return BuildOutOfMemory(text) if is_out_of_memory(text) else Unsupported(text)


def build_failure(errors: Sequence[str], version: str, *, workspace_bytes: int | None) -> MeasuringError | DeviceLost:
    """The error of a builder that returned nothing after logging `errors`."""
    said = [_shortened(error) for error in errors if not _ECHO.search(error)]
    text = f"{version} built nothing: {'; '.join(said) or 'it does not say why'}"
    if _LOST.search(text):
        return DeviceLost(text)
    if is_out_of_memory(text):
        return BuildOutOfMemory(text)
    if _UNSUPPORTED.search(text):
        limited = f" within a workspace of {workspace_bytes >> 20} MiB" if workspace_bytes is not None else ""
        return Unsupported(text + limited)
    return BuildFailed(text)


def _reason_of(error: Any) -> str:
    """One error of the parser: the node, its operator, and the first line that tells something."""
    lines = [line.strip() for line in error.desc().splitlines() if line.strip() and not _ECHO.search(line)]
    told = [line for line in lines if not line.startswith("Invalid Node")] or lines
    name, operator = error.node_name(), error.node_operator()
    where = f"node {name} ({operator})" if name else "the model"
    return f"{where}: {_shortened(told[0]) if told else error.code()}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
