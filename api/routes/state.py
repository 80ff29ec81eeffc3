"""What routes work on, kept in the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.model_store import ModelStore
from api.telemetry import Telemetry
from db.repository import Repository


@dataclass(frozen=True, slots=True)
class State:
    """Shared by all requests of a server process."""

    repository: Repository
    store: ModelStore
    telemetry: Telemetry


def _state(request: Request) -> State:
    state: State = request.app.state.hyctas
    return state


Shared = Annotated[State, Depends(_state)]
