"""A real server with real small models, for searches over small networks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from api.app import create_app
from api.settings import Settings
from db.records import ModelRecord
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target, parse_target
from predictor.artifact import SCHEMA_VERSION, manifest_sha256, save_predictor
from predictor.samples import NetworkSample
from predictor.training import train

SPACE = SearchSpace(depth=5, min_cells=3)
NETWORKS = ArchitectureDefaults(height=32, width=64, base_channels=2, classes=8)
FAST = parse_target("epyc-7b12/onnxruntime-fp32-t1")
SLOW = parse_target("epyc-7b12/torch-fp32-t1")


def law_s(target: Target, architecture: Architecture) -> float:
    """The latency that models learn: a floor, and time for every multiply-accumulate."""
    floor_s, per_mac_s = (1e-3, 2e-10) if target == FAST else (4e-3, 5e-10)
    return floor_s + per_mac_s * network_macs(architecture)


def add_models(
    folder: Path,
    url: str,
    targets: Sequence[Target] = (FAST, SLOW),
    *,
    seed: int = 0,
    law_s: Callable[[Target, Architecture], float] = law_s,
) -> list[str]:
    """Train a model for each target on networks of the space, and register it; returns the ids."""
    networks = sample_structured(SPACE, np.random.default_rng(seed), 40, NETWORKS)
    ids = []
    with Repository.open(url) as repository:
        for target in targets:
            samples = [NetworkSample(network, law_s(target, network)) for network in networks]
            path = save_predictor(train(target.name, samples, []), folder)
            repository.ensure_target(target, {})
            repository.add_model(
                ModelRecord(
                    model_id=path.name,
                    target=target,
                    path=str(path),
                    sha256=manifest_sha256(path),
                    created_at=datetime.now(UTC),
                    schema_version=SCHEMA_VERSION,
                    metrics={},
                    training={},
                )
            )
            ids.append(path.name)
    return ids


@dataclass
class Served:
    """A server that can be stopped and started again at the same address.

    Attributes:
        database: URL of its database.
        port: Where it listens.
        before: Called before each answer of ``POST /predict`` with its number, from 1; may block.
        after: The same when the answer was sent.
    """

    database: str
    port: int
    before: Callable[[int], None] = lambda number: None
    after: Callable[[int], None] = lambda number: None
    asked: int = 0
    _server: uvicorn.Server | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        config = uvicorn.Config(
            self._watched(create_app(Settings(database_url=self.database, refresh_s=0.02))),
            host="127.0.0.1",
            port=self.port,
            lifespan="on",
            log_level="error",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)

    def _watched(self, app: Any) -> Any:
        """The application with its predictions counted."""

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            counts = scope["type"] == "http" and scope["path"] == "/predict"
            if counts:
                self.asked += 1
                self.before(self.asked)
            await app(scope, receive, send)
            if counts:
                self.after(self.asked)

        return watched

    def end_soon(self) -> None:
        """Let it end after what it is answering; may be called from where it answers."""
        if self._server is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Stop it; connections are refused from then on."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()


@contextmanager
def served(database: str) -> Iterator[Served]:
    """A running server over a database; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = Served(database, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
