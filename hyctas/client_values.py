"""What a server says about targets, models, measurements and operators."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import msgspec

from hyctas.measurement import FailureKind, Metric, Normaliser, Status


@dataclass(frozen=True, slots=True)
class MeasurementQuery:
    """Which measurements are wanted, as the parameters of ``GET /measurements``; None lets everything through."""

    target: str | None = None
    kind: str | None = None
    operator: str | None = None
    height: int | None = None
    width: int | None = None
    c_in: int | None = None
    c_out: int | None = None
    stride: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Status | None = None
    run_id: int | None = None
    workload_key: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """The query parameters."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in values.items()
            if value is not None
        }


EVERYTHING: Final = MeasurementQuery()


class ServedTarget(msgspec.Struct, frozen=True):
    """A target that a server knows.

    Attributes:
        name: Full name; :func:`hyctas.target.parse_target` takes it apart.
        model_id: The model that answers, or None before training.
        models: Registered models, old ones included.
        measured_networks: Networks that are answered by their measurement.
    """

    name: str
    model_id: str | None
    models: int
    measured_networks: int


class ServedModel(msgspec.Struct, frozen=True):
    """A registered model; ``metrics`` are its held-out scores, ``training`` what it learned from."""

    model_id: str
    target: str
    newest: bool
    created_at: datetime
    schema_version: int
    sha256: str
    metrics: dict[str, Any]
    training: dict[str, Any]


class ServedMeasurement(msgspec.Struct, frozen=True):
    """A stored measurement without its raw samples; times in milliseconds as on the wire, seconds as properties."""

    id: int
    run_id: int
    target: str
    kind: str
    operator: str
    height: int
    width: int
    c_in: int
    c_out: int
    stride: int | None
    status: Status
    latency_ms: float | None
    marginal_ms: float | None
    wall_ms: float | None
    half_width: float | None
    normaliser: Normaliser
    calibration_version: int | None
    metric: Metric
    protocol_version: int
    purpose: str
    process_id: str
    failure_kind: FailureKind | None
    failure_message: str | None
    created_at: datetime
    workload_key: str
    architecture_key: str | None
    environment: dict[str, str]

    @property
    def latency_s(self) -> float | None:
        """Latency in seconds; None if the measurement failed."""
        return None if self.latency_ms is None else self.latency_ms / 1e3


class MeasurementPage(msgspec.Struct, frozen=True):
    """Some measurements, and where the next page starts; None after the last."""

    measurements: tuple[ServedMeasurement, ...]
    next_after_id: int | None


class ServedOperator(msgspec.Struct, frozen=True):
    """A candidate operator of a cell."""

    name: str
    summary: str


class ServedSpace(msgspec.Struct, frozen=True):
    """What architectures are made of, as ``GET /operators`` says; widths in twelfths, strides finest first."""

    space: str
    operators: tuple[ServedOperator, ...]
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    heads: tuple[str, ...]
    attentions: tuple[str, ...]
    outputs: tuple[str, ...]
    max_branches: int
    max_cells: int


class TargetList(msgspec.Struct, frozen=True):
    """Answer of ``GET /targets``."""

    targets: tuple[ServedTarget, ...]


class ModelList(msgspec.Struct, frozen=True):
    """Answer of ``GET /models``."""

    models: tuple[ServedModel, ...]
