"""``GET /healthz``, ``/readyz`` and ``/metrics``: for those who run the server."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, Response

from api.problem import ProblemError, plain
from api.routes.state import Shared
from api.schemas import Health, Readiness

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def health() -> Health:
    """Tell that the process is alive; looks at nothing else."""
    return Health(status="ok", version=version("hyctas"))


@router.get("/readyz")
async def readiness(shared: Shared) -> Readiness:
    """Tell whether predictions can be answered: a model is registered, and the database could be read last time."""
    store = shared.store
    if store.fault is not None:
        raise ProblemError(plain(HTTPStatus.SERVICE_UNAVAILABLE, store.fault))
    snapshot = store.snapshot
    if not snapshot.models:
        raise ProblemError(plain(HTTPStatus.SERVICE_UNAVAILABLE, "no model is registered yet: run 'hyctas train'"))
    return Readiness(
        status="ready",
        targets=len(snapshot.newest),
        models=len(snapshot.models),
        measured_networks=sum(map(len, snapshot.networks.values())),
    )


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(shared: Shared) -> Response:
    """Counters in Prometheus' text format; each worker process has its own."""
    return Response(shared.telemetry.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
