"""A trained supernet in a folder, with its data set by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hyctas.architecture import Architecture
from search.datasets.catalogue import open_dataset
from search.evaluation.job import EvaluationJob
from search.supernet.supernet import Supernet
from search.training.checkpoint import save_checkpoint
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, load_supernet
from tests.search.evaluation.tiny import NETWORKS, SIZE, SPACE, networks

DATASET = "synthetic:0:12+5:32x64"


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> EvaluationJob:
    """What workers open: a supernet as training leaves it, though nobody trained this one."""
    folder = tmp_path_factory.mktemp("supernet")
    training = TrainingSettings(steps=1, height=SIZE[0], width=SIZE[1])
    trained = SupernetJob(SPACE, NETWORKS, open_dataset(DATASET), training, folder)
    supernet = Supernet(SPACE, trained.settings, 0)
    save_checkpoint(folder, trained.identity, {"step": 1, "parameters": supernet.state_dict()})
    return EvaluationJob(str(folder), load_supernet(folder).sha256, DATASET, SIZE)


@pytest.fixture(scope="session")
def sample() -> list[Architecture]:
    """Networks with the classes of the data set."""
    classes = len(open_dataset(DATASET).classes)
    return [replace(architecture, classes=classes) for architecture in networks(6)]
