"""What a run, a calibration or a measurement is, in whichever database: a checksum of what never changes in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

_CALIBRATION: Final = (
    *("target", "compute_reference_s", "memory_reference_s", "normaliser", "process_error"),
    *("reference_id", "processes", "created_at"),
)
_RUN: Final = ("kind", "target", "arguments", "started_at", "host", "boot_id", "pid", "process_start")
_MEASUREMENT: Final = (
    *("workload", "target", "environment", "metric", "protocol", "process_id", "call_floor_s", "rounds"),
    *("failure_kind", "failure_message", "created_at"),
)
_REPORTED: Final = ("workload", "target", "metric", "reported")
_encoder: Final = msgspec.json.Encoder(order="sorted")


def calibration_identity(fields: Mapping[str, Any]) -> str:
    """Of a calibration: its numbers and when it was made, not its version, which another may have taken."""
    return _digest(fields, _CALIBRATION)


def run_identity(fields: Mapping[str, Any]) -> str:
    """Of a run: what was asked for, by which process and when, not how it ended."""
    return _digest(fields, _RUN)


def measurement_identity(fields: Mapping[str, Any]) -> str:
    """Of a measurement: what was observed, not what was derived from it nor what it is kept as.

    A reported latency is the same whenever and from whichever file it was imported.
    """
    return _digest(fields, _MEASUREMENT if fields["reported"] is None else _REPORTED)


def _digest(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return hashlib.sha256(_encoder.encode([fields[name] for name in names])).hexdigest()
