"""A server with two small models, and a trained supernet, made once; tests that change them have their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.small_search import train_small_supernet
from tests.search.world import Served, add_models, served


@pytest.fixture(scope="session")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with a model for each of two targets."""
    folder = tmp_path_factory.mktemp("modelled")
    add_models(folder / "models", f"sqlite:///{folder / 'hyctas.db'}")
    return folder / "hyctas.db"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained supernet."""
    folder = tmp_path_factory.mktemp("trained") / "supernet"
    train_small_supernet(folder)
    return folder


@pytest.fixture
def database(modelled: Path, tmp_path: Path) -> str:
    """URL of a database of its own for each test."""
    return f"sqlite:///{shutil.copy(modelled, tmp_path / 'hyctas.db')}"


@pytest.fixture
def supernet(trained: Path, tmp_path: Path) -> Path:
    """A trained supernet of its own for each test."""
    return Path(shutil.copytree(trained, tmp_path / "supernet"))


@pytest.fixture
def server(database: str) -> Iterator[Served]:
    """A running server over the test's own database."""
    with served(database) as running:
        yield running
