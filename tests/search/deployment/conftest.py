"""A tiny network, trained briefly but for real."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from hyctas.architecture import Architecture
from hyctas.torch_form import GraphModule
from search.batches import Batch, EvaluationBatches, fixed_batches
from search.datasets.dataset import Dataset
from search.training.network_training import NetworkJob, train_network
from search.training.ranks import alone
from search.training.settings import TrainingSettings
from tests.search.evaluation.tiny import CLASSES, SIZE, networks, squares

STEPS = 60


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with what it is scored on."""

    architecture: Architecture
    module: GraphModule
    dataset: Dataset
    validation: EvaluationBatches
    calibration: tuple[Batch, ...]
    classes: int = CLASSES


class Silent:
    def training(self, steps: int, done: int) -> None:
        pass

    def trained(self, loss: float) -> None:
        pass


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedNetwork:
    """A network with attention and three branches after a few steps on squares."""
    torch.set_num_threads(1)
    dataset = squares(validation=20)
    architecture = next(a for a in networks(40) if len(a.branches) == 3 and has_attention(a))
    training = TrainingSettings(
        steps=STEPS, batch_size=8, height=SIZE[0], width=SIZE[1], optimiser="adamw", learning_rate=0.01, warmup_steps=5
    )
    job = NetworkJob(architecture, dataset, training, tmp_path_factory.mktemp("network"))
    module = train_network(job, rank=alone("cpu"), progress=Silent())
    validation = EvaluationBatches(dataset.validation, SIZE, batch_size=6)
    return TrainedNetwork(architecture, module, dataset, validation, fixed_batches(dataset.training, SIZE, 8, 3))


def has_attention(architecture: Architecture) -> bool:
    return any(cell.op == "sa" for branch in architecture.branches for cell in branch.cells)
