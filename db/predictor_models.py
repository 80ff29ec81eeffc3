"""The registry of model artifacts."""

from __future__ import annotations

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from db import targets
from db.records import ModelRecord
from db.tables import PredictorModel, TargetRow
from hyctas.errors import StorageError, UnknownModel
from hyctas.target import Target, parse_target


def add(session: Session, record: ModelRecord) -> None:
    """Register a model.

    Raises:
        StorageError: Its id is taken.
        UnknownTarget: Its target was not stored.
    """
    if session.scalar(select(PredictorModel.id).where(PredictorModel.model_id == record.model_id)) is not None:
        raise StorageError(f"model {record.model_id!r} is registered already; ids are never reused")
    session.add(
        PredictorModel(
            model_id=record.model_id,
            target_id=targets.id_of(session, record.target),
            path=record.path,
            sha256=record.sha256,
            created_at=record.created_at,
            schema_version=record.schema_version,
            metrics=dict(record.metrics),
            training=dict(record.training),
        )
    )


def find_all(session: Session, target: Target | None) -> tuple[ModelRecord, ...]:
    """Models of a target, or all; oldest first."""
    query = _with_target().order_by(PredictorModel.created_at, PredictorModel.id)
    if target is not None:
        query = query.where(TargetRow.name == target.name)
    return tuple(_record(row) for row in session.execute(query))


def find(session: Session, model_id: str) -> ModelRecord:
    """The model with that id.

    Raises:
        UnknownModel: There is none.
    """
    row = session.execute(_with_target().where(PredictorModel.model_id == model_id)).one_or_none()
    if row is None:
        raise UnknownModel(model_id, sorted(session.scalars(select(PredictorModel.model_id))))
    return _record(row)


def latest(session: Session, target: Target) -> ModelRecord | None:
    """The model of a target that was trained last."""
    newest = _with_target().where(TargetRow.name == target.name)
    newest = newest.order_by(PredictorModel.created_at.desc(), PredictorModel.id.desc()).limit(1)
    row = session.execute(newest).one_or_none()
    return None if row is None else _record(row)


def _with_target() -> Select[PredictorModel, str]:
    return select(PredictorModel, TargetRow.name).join(TargetRow)


def _record(row: Row[PredictorModel, str]) -> ModelRecord:
    model, target = row
    return ModelRecord(
        model_id=model.model_id,
        target=parse_target(target),
        path=model.path,
        sha256=model.sha256,
        created_at=model.created_at,
        schema_version=model.schema_version,
        metrics=model.metrics,
        training=model.training,
    )
