"""Shapes of the answers, apart from predictions, whose shapes the hot path defines."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from db.records import Purpose, WorkloadKind
from hyctas.measurement import FailureKind, Metric, Normaliser, Status


class Shape(BaseModel):
    """A JSON object of an answer."""

    model_config = ConfigDict(protected_namespaces=())


class Health(Shape):
    """The process is alive."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


class Readiness(Shape):
    """The server can answer predictions."""

    status: str = Field(examples=["ready"])
    targets: int = Field(description="Targets with a model.", examples=[1])
    models: int = Field(description="Registered models.", examples=[3])
    measured_networks: int = Field(description="Networks that are answered by their measurement.", examples=[200])


class TargetShape(Shape):
    """A device with a runtime and a precision."""

    name: str = Field(examples=["epyc-7b12/onnxruntime-fp32-t1"])
    device: str = Field(examples=["epyc-7b12"])
    runtime: str = Field(examples=["onnxruntime"])
    precision: str = Field(examples=["fp32"])
    options: list[str] = Field(examples=[[]])
    threads: int | None = Field(examples=[1])
    model_id: str | None = Field(description="The newest model, which answers; null before training.")
    models: int = Field(description="Registered models, old ones included.")
    measured_networks: int = Field(description="Networks that are answered by their measurement.")


class Targets(Shape):
    """All targets."""

    targets: list[TargetShape]


class ModelShape(Shape):
    """A registered model."""

    model_id: str
    target: str
    newest: bool = Field(description="Whether it answers requests that name no model.")
    created_at: datetime
    schema_version: int
    sha256: str = Field(description="Checksum of the artifact's manifest, which holds those of its files.")
    metrics: dict[str, Any] = Field(description="Held-out scores.")
    training: dict[str, Any] = Field(description="What it learned from.")


class Models(Shape):
    """Models, oldest first."""

    models: list[ModelShape]


class MeasurementShape(Shape):
    """A stored measurement without its raw samples."""

    id: int
    run_id: int
    target: str
    kind: WorkloadKind
    operator: str
    height: int
    width: int
    c_in: int
    c_out: int
    stride: int | None
    status: Status
    latency_ms: float | None
    marginal_ms: float | None = Field(description="What the operator adds inside a chain.")
    wall_ms: float | None = Field(description="Median wall time, not normalised.")
    half_width: float | None = Field(description="Relative half-width of the 95 % interval.")
    normaliser: Normaliser
    calibration_version: int | None
    metric: Metric
    protocol_version: int
    purpose: Purpose
    process_id: str
    failure_kind: FailureKind | None
    failure_message: str | None
    created_at: datetime
    workload_key: str
    architecture_key: str | None
    environment: dict[str, str]
    engine: dict[str, str] | None = Field(description="What the engine said about itself, such as its memory.")


class MeasurementPage(Shape):
    """Some measurements, and where the next page starts."""

    measurements: list[MeasurementShape]
    next_after_id: int | None = Field(description="Give it as after_id to get the next page; null on the last one.")


class OperatorShape(Shape):
    """A candidate operator of a cell."""

    name: str = Field(examples=["conv_2x"])
    summary: str


class Operators(Shape):
    """What architectures of the space are made of."""

    space: str = Field(examples=["hyctas"])
    operators: list[OperatorShape]
    widths: list[int] = Field(description="Width ratios in twelfths.")
    strides: list[int] = Field(description="Strides of the scales, finest first.")
    heads: list[str]
    attentions: list[str]
    outputs: list[str]
    max_branches: int
    max_cells: int = Field(description="Most cells of a branch.")
