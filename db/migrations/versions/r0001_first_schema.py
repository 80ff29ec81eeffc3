"""The first schema: targets, workloads, runs, measurements, models, searches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_device()
    _create_target()
    _create_environment()
    _create_calibration()
    _create_workload()
    _create_architecture()
    _create_run()
    _create_measurement()
    _create_predictor_model()
    _create_search_run()
    _create_candidate()


def _create_device() -> None:
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.UniqueConstraint("slug", name="uq_device_slug"),
    )


def _create_target() -> None:
    op.create_table(
        "target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("runtime", sa.String(), nullable=False),
        sa.Column("precision", sa.String(), nullable=False),
        sa.Column("threads", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_target_device_id"),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
        sa.UniqueConstraint("name", name="uq_target_name"),
    )


def _create_environment() -> None:
    op.create_table(
        "environment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environment"),
        sa.UniqueConstraint("digest", name="uq_environment_digest"),
    )


def _create_calibration() -> None:
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("compute_reference_s", sa.Double(), nullable=False),
        sa.Column("memory_reference_s", sa.Double(), nullable=False),
        sa.Column("normaliser", sa.String(), nullable=False),
        sa.Column("process_error", sa.JSON(), nullable=False),
        sa.Column("reference_id", sa.String(), nullable=False),
        sa.Column("processes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_calibration_target_id"),
        sa.PrimaryKeyConstraint("id", name="pk_calibration"),
        sa.UniqueConstraint("target_id", "version", name="uq_calibration_target_id_version"),
    )


def _create_workload() -> None:
    op.create_table(
        "workload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("c_in", sa.BigInteger(), nullable=False),
        sa.Column("c_out", sa.BigInteger(), nullable=False),
        sa.Column("stride", sa.BigInteger(), nullable=True),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("conv_macs", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("bytes_moved", sa.BigInteger(), nullable=False),
        sa.Column("peak_activation_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('operator', 'network')", name=op.f("ck_workload_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_workload"),
        sa.UniqueConstraint("key", name="uq_workload_key"),
    )
    op.create_index("ix_workload_operator_height_width", "workload", ["operator", "height", "width"])


def _create_architecture() -> None:
    op.create_table(
        "architecture",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("workload_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["workload_id"], ["workload.id"], name="fk_architecture_workload_id"),
        sa.PrimaryKeyConstraint("id", name="pk_architecture"),
        sa.UniqueConstraint("key", name="uq_architecture_key"),
    )
    op.create_index("ix_architecture_workload_id", "architecture", ["workload_id"])


def _create_run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_start", sa.String(), nullable=False),
        sa.CheckConstraint("status IN ('running', 'finished', 'interrupted')", name=op.f("ck_run_status")),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_run_target_id"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_target_id", "run", ["target_id"])


def _create_measurement() -> None:
    op.create_table(
        "measurement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("workload_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("calibration_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("latency_s", sa.Double(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("half_width", sa.Double(), nullable=True),
        sa.Column("marginal_s", sa.Double(), nullable=True),
        sa.Column("normaliser", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("protocol_version", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.JSON(), nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("call_floor_s", sa.Double(), nullable=False),
        sa.Column("rounds", sa.JSON(), nullable=False),
        sa.Column("failure_kind", sa.String(), nullable=True),
        sa.Column("failure_message", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('primary', 'repeat')", name=op.f("ck_measurement_purpose")),
        sa.CheckConstraint("status IN ('ok', 'unstable', 'failed')", name=op.f("ck_measurement_status")),
        sa.ForeignKeyConstraint(["calibration_id"], ["calibration.id"], name="fk_measurement_calibration_id"),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name="fk_measurement_environment_id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_measurement_run_id"),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_measurement_target_id"),
        sa.ForeignKeyConstraint(["workload_id"], ["workload.id"], name="fk_measurement_workload_id"),
        sa.PrimaryKeyConstraint("id", name="pk_measurement"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_measurement_created_at", "measurement", ["created_at"])
    op.create_index("ix_measurement_run_id", "measurement", ["run_id"])
    op.create_index("ix_measurement_target_id_workload_id", "measurement", ["target_id", "workload_id"])
    op.create_index("ix_measurement_workload_id", "measurement", ["workload_id"])
    op.create_index(
        "uq_measurement_primary",
        "measurement",
        ["target_id", "workload_id", "protocol_version", "metric"],
        unique=True,
        sqlite_where=sa.text("status = 'ok' AND purpose = 'primary'"),
        postgresql_where=sa.text("status = 'ok' AND purpose = 'primary'"),
    )


def _create_predictor_model() -> None:
    op.create_table(
        "predictor_model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("schema_version", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("training", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_predictor_model_target_id"),
        sa.PrimaryKeyConstraint("id", name="pk_predictor_model"),
        sa.UniqueConstraint("model_id", name="uq_predictor_model_model_id"),
    )
    op.create_index("ix_predictor_model_target_id", "predictor_model", ["target_id"])


def _create_search_run() -> None:
    op.create_table(
        "search_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("space", sa.JSON(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reference_point", sa.JSON(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('running', 'finished', 'interrupted')", name=op.f("ck_search_run_status")),
        sa.PrimaryKeyConstraint("id", name="pk_search_run"),
    )


def _create_candidate() -> None:
    op.create_table(
        "candidate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("search_run_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("architecture_id", sa.Integer(), nullable=False),
        sa.Column("objectives", sa.JSON(), nullable=False),
        sa.Column("predicted_latency_s", sa.Double(), nullable=True),
        sa.Column("measured_latency_s", sa.Double(), nullable=True),
        sa.Column("model_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["architecture_id"], ["architecture.id"], name="fk_candidate_architecture_id"),
        sa.ForeignKeyConstraint(["model_id"], ["predictor_model.model_id"], name="fk_candidate_model_id"),
        sa.ForeignKeyConstraint(["search_run_id"], ["search_run.id"], name="fk_candidate_search_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_candidate"),
    )
    op.create_index("ix_candidate_architecture_id", "candidate", ["architecture_id"])
    op.create_index("ix_candidate_search_run_id_generation", "candidate", ["search_run_id", "generation"])
