"""Tables of what was measured and what was learned from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base


class Device(Base):
    """A machine's hardware."""

    __tablename__ = "device"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    facts: Mapped[dict[str, Any]]


class TargetRow(Base):
    """A target; runtime, precision and threads repeat its name for people who query."""

    __tablename__ = "target"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[int] = mapped_column(Integer, ForeignKey("device.id"))
    name: Mapped[str] = mapped_column(unique=True)
    runtime: Mapped[str]
    precision: Mapped[str]
    threads: Mapped[int | None]


class Environment(Base):
    """Versions, host and load under which measurements were taken; equal ones are stored once."""

    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    facts: Mapped[dict[str, Any]]


class DatabaseIdentity(Base):
    """The one row that tells this database from others when measurements are shared."""

    __tablename__ = "database_identity"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uuid: Mapped[str]


class CalibrationRow(Base):
    """Reference latencies of a target; never changed. `origin` names the database that it was merged from."""

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("target_id", "version"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    target_id: Mapped[int] = mapped_column(Integer, ForeignKey("target.id"))
    version: Mapped[int]
    compute_reference_s: Mapped[float]
    memory_reference_s: Mapped[float]
    normaliser: Mapped[str]
    process_error: Mapped[dict[str, Any]]
    reference_id: Mapped[str]
    processes: Mapped[int]
    created_at: Mapped[datetime]
    origin: Mapped[dict[str, Any] | None]


class WorkloadRow(Base):
    """Something that can be measured."""

    __tablename__ = "workload"
    __table_args__ = (
        CheckConstraint("kind IN ('operator', 'network')", name="kind"),
        Index(None, "operator", "height", "width"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    operator: Mapped[str]
    description: Mapped[dict[str, Any]]
    height: Mapped[int]
    width: Mapped[int]
    c_in: Mapped[int]
    c_out: Mapped[int]
    stride: Mapped[int | None]
    macs: Mapped[int]
    conv_macs: Mapped[int]
    parameters: Mapped[int]
    bytes_moved: Mapped[int]
    peak_activation_bytes: Mapped[int]


class ArchitectureRow(Base):
    """An architecture, and the workload that it lowers to once it was lowered."""

    __tablename__ = "architecture"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    workload_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("workload.id"), index=True)
    document: Mapped[dict[str, Any]]


class Run(Base):
    """One invocation; host, boot, pid and the process's start say whether it still runs.

    `origin` names the database that it was merged from, and its number there.
    """

    __tablename__ = "run"
    __table_args__ = (CheckConstraint("status IN ('running', 'finished', 'interrupted')", name="status"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str]
    target_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("target.id"), index=True)
    arguments: Mapped[dict[str, Any]]
    status: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any]]
    host: Mapped[str]
    boot_id: Mapped[str]
    pid: Mapped[int]
    process_start: Mapped[str]
    origin: Mapped[dict[str, Any] | None]


ONE_PRIMARY = text("status = 'ok' AND purpose = 'primary'")


class MeasurementTable(Base):
    """A measurement: the numbers derived once under its calibration, and all raw rounds, or what others reported."""

    __tablename__ = "measurement"
    __table_args__ = (
        CheckConstraint("status IN ('ok', 'unstable', 'failed')", name="status"),
        CheckConstraint("purpose IN ('primary', 'repeat')", name="purpose"),
        Index(
            "uq_measurement_primary",
            "target_id",
            "workload_id",
            "protocol_version",
            "metric",
            unique=True,
            sqlite_where=ONE_PRIMARY,
            postgresql_where=ONE_PRIMARY,
        ),
        Index(None, "target_id", "workload_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[int] = mapped_column(Integer, ForeignKey("run.id"), index=True)
    workload_id: Mapped[int] = mapped_column(Integer, ForeignKey("workload.id"), index=True)
    target_id: Mapped[int] = mapped_column(Integer, ForeignKey("target.id"))
    environment_id: Mapped[int] = mapped_column(Integer, ForeignKey("environment.id"))
    calibration_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("calibration.id"))
    purpose: Mapped[str]
    status: Mapped[str]
    latency_s: Mapped[float | None]
    wall_s: Mapped[float | None]
    half_width: Mapped[float | None]
    marginal_s: Mapped[float | None]
    normaliser: Mapped[str]
    metric: Mapped[str]
    protocol_version: Mapped[int]
    protocol: Mapped[dict[str, Any]]
    process_id: Mapped[str]
    call_floor_s: Mapped[float]
    rounds: Mapped[dict[str, Any]]
    rounds_dropped_at: Mapped[datetime | None]
    reported: Mapped[dict[str, Any] | None]
    engine: Mapped[dict[str, Any] | None]
    failure_kind: Mapped[str | None]
    failure_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


class PredictorModel(Base):
    """A registered model artifact."""

    __tablename__ = "predictor_model"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model_id: Mapped[str] = mapped_column(unique=True)
    target_id: Mapped[int] = mapped_column(Integer, ForeignKey("target.id"), index=True)
    path: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]
    schema_version: Mapped[int]
    metrics: Mapped[dict[str, Any]]
    training: Mapped[dict[str, Any]]
