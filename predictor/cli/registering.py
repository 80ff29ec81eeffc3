"""Models from and into the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from db.records import ModelRecord
from db.repository import Repository
from hyctas.target import Target
from predictor.artifact import SCHEMA_VERSION, load_predictor, manifest_sha256
from predictor.model import Predictor


def load_model(repository: Repository, model: str) -> Predictor:
    """A model by its path, or by its id."""
    path = Path(model)
    return load_predictor(path if path.is_dir() else Path(repository.model(model).path))


def register_model(
    repository: Repository, target: Target, path: Path, metrics: Mapping[str, Any], facts: Mapping[str, Any]
) -> bool:
    """Register an artifact; False if the very same was registered before."""
    if any(record.model_id == path.name for record in repository.models(target)):
        return False
    record = ModelRecord(
        model_id=path.name,
        target=target,
        path=str(path),
        sha256=manifest_sha256(path),
        created_at=datetime.now(UTC),
        schema_version=SCHEMA_VERSION,
        metrics=metrics,
        training=facts,
    )
    repository.add_model(record)
    return True
