"""``GET /targets``, ``/models`` and ``/operators``: what can be asked."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.model_store import Snapshot
from api.routes.state import Shared
from api.schemas import Models, ModelShape, Operators, OperatorShape, Targets, TargetShape
from db.records import ModelRecord
from hyctas.architecture import MAX_BRANCHES, OUTPUTS
from hyctas.cell import MAX_CELLS, SCALES, WIDTHS
from hyctas.channels import stride_of
from hyctas.errors import UnknownModel
from hyctas.operators import summaries
from hyctas.space_rules import rules_of
from hyctas.target import Target

router = APIRouter(tags=["catalogue"])

_MAX_NAME: Final = 200


@router.get("/targets")
async def targets(shared: Shared) -> Targets:
    """All targets, by name, with the model that answers for each."""
    snapshot = shared.store.snapshot
    return Targets(targets=[_target(target, snapshot) for target in snapshot.targets])


@router.get("/models")
async def models(
    shared: Shared,
    target: Annotated[str | None, Query(max_length=_MAX_NAME, description="Of this target alone.")] = None,
) -> Models:
    """All registered models, oldest first; each can be asked by its id."""
    snapshot = shared.store.snapshot
    name = None if target is None else shared.store.full_name(target)
    wanted = [record for record in snapshot.models.values() if name in (None, record.target.name)]
    return Models(models=[_model(record, snapshot) for record in wanted])


@router.get("/models/{model_id}")
async def model(model_id: str, shared: Shared) -> ModelShape:
    """One registered model."""
    snapshot = shared.store.snapshot
    record = snapshot.models.get(model_id)
    if record is None:
        raise UnknownModel(model_id, list(snapshot.models))
    return _model(record, snapshot)


@router.get("/operators")
async def operators(
    space: Annotated[str, Query(max_length=_MAX_NAME, description="Of this search space.")] = "hyctas",
) -> Operators:
    """The candidate operators and settings that the architectures of a space are made of."""
    rules = rules_of(space)
    return Operators(
        space=rules.name,
        operators=[OperatorShape(name=name, summary=summary) for name, summary in summaries(space).items()],
        widths=list(WIDTHS),
        strides=[stride_of(scale) for scale in SCALES],
        heads=list(rules.heads),
        attentions=list(rules.attentions),
        outputs=list(OUTPUTS),
        max_branches=MAX_BRANCHES,
        max_cells=MAX_CELLS,
    )


def _target(target: Target, snapshot: Snapshot) -> TargetShape:
    return TargetShape(
        name=target.name,
        device=target.device,
        runtime=target.runtime,
        precision=target.precision,
        options=list(target.options),
        threads=target.threads,
        model_id=snapshot.newest.get(target.name),
        models=sum(record.target == target for record in snapshot.models.values()),
        measured_networks=len(snapshot.networks[target.name]),
    )


def _model(record: ModelRecord, snapshot: Snapshot) -> ModelShape:
    return ModelShape(
        model_id=record.model_id,
        target=record.target.name,
        newest=snapshot.newest[record.target.name] == record.model_id,
        created_at=record.created_at,
        schema_version=record.schema_version,
        sha256=record.sha256,
        metrics=dict(record.metrics),
        training=dict(record.training),
    )
