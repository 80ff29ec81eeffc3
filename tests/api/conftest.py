"""A real small model in a temporary SQLite database, and the real application over it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from api.settings import Settings
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.artifact import save_predictor
from predictor.samples import NetworkSample
from predictor.training import train
from tests.api.world import (
    SETTINGS,
    START,
    TARGET,
    Clock,
    World,
    a_calibration,
    a_model,
    serving,
    store_networks,
    synthetic_latency_s,
)


@pytest.fixture(scope="session")
def networks() -> tuple[Architecture, ...]:
    """Forty networks of one size."""
    return sample_structured(SearchSpace(), np.random.default_rng(7), 40, SETTINGS)


@pytest.fixture(scope="session")
def artifacts(networks: Sequence[Architecture], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two artifacts on disk: one trained on 12 networks, one on 20."""
    folder = tmp_path_factory.mktemp("models")
    samples = [NetworkSample(network, synthetic_latency_s(network)) for network in networks[:20]]
    old = save_predictor(train(TARGET.name, samples[:12], []), folder)
    return old, save_predictor(train(TARGET.name, samples, []), folder)


@pytest.fixture(scope="session")
def filled(
    networks: tuple[Architecture, ...], artifacts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An SQLite file with one target, two models and six measured networks (which no model was trained on)."""
    file = tmp_path_factory.mktemp("database") / "filled.db"
    with Repository(f"sqlite:///{file}", clock=Clock()) as repository:
        repository.ensure_target(TARGET, {"cpu": "EPYC 7B12"})
        repository.add_calibration(a_calibration())
        run = repository.start_run("networks", TARGET, {})
        store_networks(repository, run, networks[20:26], a_calibration())
        for age, path in enumerate(artifacts):
            repository.add_model(a_model(path, START + timedelta(days=age)))
    return file


@pytest.fixture
def world(networks: tuple[Architecture, ...], artifacts: tuple[Path, Path], filled: Path, tmp_path: Path) -> World:
    """A database of its own for each test: a copy of the filled one."""
    file = shutil.copy(filled, tmp_path / "hyctas.db")
    old, new = artifacts
    return World(f"sqlite:///{file}", old.parent, old.name, new.name, networks[20:26], networks[26:])


@pytest.fixture
def settings(world: World) -> Settings:
    """Settings of the tests' server, which looks at the database often."""
    return Settings(database_url=world.url, refresh_s=0.02)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running server."""
    async with serving(settings) as opened:
        yield opened
