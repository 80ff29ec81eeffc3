"""Plans that take a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hyctas.architecture import Architecture
from search.retraining.plan import RetrainingPlan
from search.training.settings import TrainingSettings
from tests.search.evaluation.tiny import SIZE, networks, squares

TRAINING = TrainingSettings(
    steps=12,
    batch_size=4,
    height=SIZE[0],
    width=SIZE[1],
    optimiser="adamw",
    learning_rate=0.01,
    warmup_steps=2,
    checkpoint_every=3,
)


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    """A network of three branches."""
    return next(network for network in networks(40, seed=3) if len(network.branches) == 3)


@pytest.fixture
def plan(architecture: Architecture, tmp_path: Path) -> RetrainingPlan:
    """A plan that takes a second."""
    return RetrainingPlan(architecture, squares(validation=5), TRAINING, tmp_path / "out")


@pytest.fixture
def larger(plan: RetrainingPlan) -> RetrainingPlan:
    """The same network, trained on larger images than it is deployed for."""
    return dataclasses.replace(plan, training=dataclasses.replace(TRAINING, height=64, width=96))
