"""The ASGI application: the hot path in front, FastAPI behind it, and the task that watches the database."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from api.access import Access
from api.answering import Answerer
from api.faults import answer_with_problems
from api.front import Front
from api.hot_path import PredictRoute
from api.model_store import ModelStore
from api.openapi import DESCRIPTION, describe_predict
from api.routes import catalogue, health, measurements, page
from api.routes.state import State
from api.settings import Settings, settings_from
from api.telemetry import Telemetry
from db.repository import Repository
from hyctas.secret_files import replace_secret_files

REST: Final = 10.0
"""Times as long as a look at the database took that pass before the next."""
_log: Final = logging.getLogger(__name__)


def app_from_environment() -> Front:
    """Build the application from environment variables: what worker processes call."""
    replace_secret_files(os.environ)
    return create_app(settings_from(os.environ))


def create_app(settings: Settings) -> Front:
    """Build the application; its lifespan watches the database and closes it.

    Raises:
        InvalidInput: The database's URL is not one.
        StorageError: The database does not exist or cannot be read.
    """
    repository = Repository.open(settings.database_url, create=False)
    store, telemetry = ModelStore(repository), Telemetry()
    predict = PredictRoute(Answerer(store, counted=telemetry.predictions), settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(store.refresh)
        watching = asyncio.create_task(_watch(store, settings.refresh_s))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            predict.close()
            repository.close()

    framework = _framework(settings, lifespan=lifespan)
    framework.state.hyctas = State(repository, store, telemetry)
    return Front(
        predict,
        framework,
        access=Access(settings.api_keys),
        telemetry=telemetry,
        retry_after_s=settings.retry_after_s,
    )


def _framework(settings: Settings, *, lifespan: object) -> FastAPI:
    app = FastAPI(
        title="hyctas",
        version=version("hyctas"),
        description=DESCRIPTION,
        lifespan=lifespan,  # type: ignore[arg-type]
        redoc_url=None,
    )
    for routes in (page, catalogue, measurements, health):
        app.include_router(routes.router)
    answer_with_problems(app, retry_after_s=settings.retry_after_s)
    describe_predict(app)
    return app


async def _watch(store: ModelStore, refresh_s: float) -> None:
    """Look at the database again and again; a look never blocks requests, and long ones are taken less often."""
    clock, wait_s = asyncio.get_running_loop().time, refresh_s
    while True:
        await asyncio.sleep(wait_s)
        start_s = clock()
        try:
            await asyncio.to_thread(store.refresh)
        except Exception:
            _log.exception("looking at the database failed; what was known is served on")
        wait_s = max(refresh_s, REST * (clock() - start_s))
