"""A supernet of the smallest space that commands search, trained once; each test has its own copy."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hyctas.space import SearchSpace
from search.training.settings import TrainingSettings
from tests.search.cli.small_command import DEPTH
from tests.search.small_search import TRAINING, train_small_supernet


@pytest.fixture(scope="session")
def trained_by_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a supernet, trained as the command with its usual options does it."""
    folder = tmp_path_factory.mktemp("trained") / "supernet"
    usual = replace(TRAINING, warmup_steps=TrainingSettings().warmup_steps)
    train_small_supernet(folder, space=SearchSpace(depth=DEPTH), training=usual)
    return folder


@pytest.fixture
def supernet(trained_by_command: Path, tmp_path: Path) -> Path:
    """A trained supernet of its own for each test."""
    return Path(shutil.copytree(trained_by_command, tmp_path / "supernet"))


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A command of this process leaves its handlers of signals behind."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
