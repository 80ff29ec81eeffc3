"""What the tests' server knows, and the real application over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.front import Front
from api.settings import Settings
from db.records import ArchitectureRecord, ModelRecord, WorkloadRecord
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.measurement import Calibration, Measurement, Protocol, Round
from hyctas.network_macs import network_macs
from hyctas.target import parse_target
from predictor.artifact import SCHEMA_VERSION, manifest_sha256

TARGET = parse_target("epyc-7b12/onnxruntime-fp32-t1")
SETTINGS = ArchitectureDefaults(height=192, width=384)
START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PROCESS_ERROR = 0.013


def synthetic_latency_s(architecture: Architecture) -> float:
    """A law that a model can learn: a floor, and time for every multiply-accumulate."""
    return 1e-3 + 2e-11 * network_macs(architecture)


@dataclass(frozen=True)
class World:
    """What the tests' server knows.

    Attributes:
        url: Of the database.
        folder: Where the artifacts lie.
        old_model: Id of the model that was trained first.
        model: Id of the newest model.
        measured: Networks with a stored measurement, the first stored at 12:01, the next a minute later each.
        unseen: Networks without one.
    """

    url: str
    folder: Path
    old_model: str
    model: str
    measured: tuple[Architecture, ...]
    unseen: tuple[Architecture, ...]


class Clock:
    """A clock that goes on by one minute a look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time, one minute after the last."""
        self.now += timedelta(minutes=1)
        return self.now


def a_calibration() -> Calibration:
    """A first calibration under which a wall time is a latency."""
    return Calibration(
        target=TARGET,
        version=1,
        compute_reference_s=0.006,
        memory_reference_s=0.002,
        normaliser="compute",
        process_error={"none": 0.2, "compute": PROCESS_ERROR, "memory": 0.05, "mean": 0.03},
        reference_id="numpy-1",
        processes=3,
    )


def a_model(path: Path, created_at: datetime) -> ModelRecord:
    """The record of an artifact."""
    metrics, training = {"mape": 0.02}, {"networks": 20}
    return ModelRecord(
        path.name, TARGET, str(path), manifest_sha256(path), created_at, SCHEMA_VERSION, metrics, training
    )


def store_networks(
    repository: Repository, run: int, networks: Sequence[Architecture], calibration: Calibration
) -> None:
    """Store networks as measured, twice as slow as the law that models learn, so that answers tell which was used."""
    repository.add_workloads([a_workload(network) for network in networks])
    repository.add_architectures([ArchitectureRecord(n.key, f"w-{n.key}", to_json(n)) for n in networks])
    for network in networks:
        repository.add_measurement(run, a_measurement(network), calibration=calibration)


def a_workload(network: Architecture) -> WorkloadRecord:
    """The workload ``w-KEY`` of a network; its costs do not matter here."""
    size = network.input
    return WorkloadRecord(
        key=f"w-{network.key}",
        kind="network",
        operator="network",
        description={},
        height=size.height,
        width=size.width,
        c_in=3,
        c_out=network.classes,
        stride=None,
        macs=1,
        conv_macs=1,
        parameters=1,
        bytes_moved=1,
        peak_activation_bytes=1,
    )


def a_measurement(network: Architecture) -> Measurement:
    """Five equal rounds."""
    latency_s = 2 * synthetic_latency_s(network)
    return Measurement(
        workload_key=f"w-{network.key}",
        target=TARGET,
        rounds=(Round((latency_s,), (0.006,), (0.002,), 0.99),) * 5,
        call_floor_s=1e-5,
        protocol=Protocol(),
        environment={"onnxruntime": "1.32.0"},
        process_id="p1",
    )


@asynccontextmanager
async def serving(settings: Settings, headers: dict[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process, whose lifespan runs."""
    app = create_app(settings)
    async with (
        lifespan(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test", headers=headers
        ) as client,
    ):  # type: ignore[arg-type]
        yield client


@asynccontextmanager
async def lifespan(app: Front) -> AsyncIterator[None]:
    """Start the application and end it, as a server does."""
    async with app.framework.router.lifespan_context(app.framework):
        yield


def a_request(architecture: Any, **changes: Any) -> dict[str, Any]:
    """The body of a request for one architecture, or for several if given a list."""
    name = "architectures" if isinstance(architecture, list) else "architecture"
    return {"target": TARGET.name, name: architecture, **changes}


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; the test's own time limit ends it where it never does."""
    while not await holds():
        await asyncio.sleep(0.01)
