"""Measurements as the command line and the HTTP interface show them: milliseconds, plain JSON types."""

from __future__ import annotations

from typing import Any

from db.records import MeasurementRow


def measurement_to_json(row: MeasurementRow) -> dict[str, Any]:
    """The JSON of a measurement without its rounds; its keys are those of ``GET /measurements``."""
    return {
        "id": row.id,
        "run_id": row.run_id,
        "target": row.target.name,
        "kind": row.kind,
        "operator": row.operator,
        "height": row.height,
        "width": row.width,
        "c_in": row.c_in,
        "c_out": row.c_out,
        "stride": row.stride,
        "status": row.status,
        "latency_ms": _milliseconds(row.latency_s),
        "marginal_ms": _milliseconds(row.marginal_s),
        "wall_ms": _milliseconds(row.wall_s),
        "half_width": row.half_width,
        "normaliser": row.normaliser,
        "calibration_version": row.calibration_version,
        "metric": row.metric,
        "protocol_version": row.protocol_version,
        "purpose": row.purpose,
        "process_id": row.process_id,
        "failure_kind": row.failure_kind,
        "failure_message": row.failure_message,
        "created_at": row.created_at.isoformat(),
        "workload_key": row.workload_key,
        "architecture_key": row.architecture_key,
        "environment": dict(row.environment),
        "engine": None if row.engine is None else dict(row.engine),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000.0
