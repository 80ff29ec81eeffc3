"""Training a supernet into a folder, and loading it from there."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import CheckpointMismatch
from hyctas.space import SearchSpace
from search.batches import TrainingBatches
from search.datasets.dataset import Dataset
from search.evaluation.layout import memory_format
from search.supernet.supernet import Supernet
from search.training.checkpoint import load_checkpoint, load_parameters
from search.training.objective import segmentation_loss
from search.training.ranks import Rank
from search.training.settings import TrainingSettings
from search.training.supernet_passes import Draws, Run, Sandwich, SinglePath, extremes
from search.training.trainer import Passes, Trained, Trainer, TrainingProgress

ANY_SIZE: Final = {"batch": 1, "height": 32, "width": 32, "output": "logits"}
"""Settings that a supernet does not depend on, at the values that its identity has."""


@dataclass(frozen=True, slots=True)
class SupernetJob:
    """A supernet to train.

    Attributes:
        space: Which architectures it holds.
        networks: Everything about them but their branches; classes as in the data set, any input size.
        dataset: What it learns from.
        training: How.
        folder: Where its checkpoint lies.
    """

    space: SearchSpace
    networks: ArchitectureDefaults
    dataset: Dataset
    training: TrainingSettings
    folder: Path

    @property
    def settings(self) -> ArchitectureDefaults:
        """The settings of its networks, without what it does not depend on."""
        classes = len(self.dataset.classes)
        return dataclasses.replace(self.networks, classes=classes, **ANY_SIZE)  # type: ignore[arg-type]

    @property
    def identity(self) -> dict[str, Any]:
        """What its checkpoint belongs to."""
        return {
            "kind": "supernet",
            "space": msgspec.to_builtins(self.space),
            "networks": asdict(self.settings),
            "training": asdict(self.training),
            "dataset": self.dataset.digest,
        }


@dataclass(frozen=True, slots=True)
class TrainedSupernet:
    """A supernet that was trained to the end.

    Attributes:
        supernet: The parameters.
        training: How they were trained.
        dataset: Digest of the data set that they learned from.
        sha256: Of all parameters.
    """

    supernet: Supernet
    training: TrainingSettings
    dataset: str
    sha256: str


def train_supernet(job: SupernetJob, *, rank: Rank, progress: TrainingProgress) -> None:
    """Train, from wherever the folder's checkpoint stands.

    A finished supernet of these networks and this data set is taken as it is, however it was trained.

    Args:
        job: What to train.
        rank: Which process this is of those that train together, and on which device.
        progress: Told how it goes on.

    Raises:
        CheckpointMismatch: The folder holds a checkpoint of something else.
        TrainingDiverged: A loss or a gradient is not finite.
    """
    if is_trained(job):
        return
    training, dataset = job.training, job.dataset
    supernet = Supernet(job.space, job.settings, training.seed)
    supernet.to(rank.device, memory_format=memory_format(rank.device))
    Trainer(
        Trained(supernet, job.identity, job.folder),
        _passes(job, rank.wrapped(supernet), rank.device),
        batches=TrainingBatches(
            split=dataset.training,
            size=(training.height, training.width),
            batch_size=training.batch_size,
            seed=training.seed,
            workers=rank.loaders,
            rank=rank.number,
            world=rank.world,
        ),
        settings=training,
        rank=rank,
        progress=progress,
    ).run()


def is_trained(job: SupernetJob) -> bool:
    """Whether the folder holds a finished supernet of the job's networks and data set.

    Raises:
        CheckpointMismatch: What it holds cannot be read.
    """
    found = load_checkpoint(job.folder)
    if found is None:
        return False
    identity, state = found
    wanted = {name: value for name, value in job.identity.items() if name != "training"}
    alike = all(identity.get(name) == value for name, value in wanted.items())
    return alike and state["step"] >= identity["training"]["steps"]


def load_supernet(folder: Path, device: str | torch.device = "cpu") -> TrainedSupernet:
    """A supernet that was trained to the end.

    Raises:
        CheckpointMismatch: There is none in the folder, or its training is not finished.
    """
    identity, state = _finished(folder)
    training = msgspec.convert(identity["training"], TrainingSettings)
    space = msgspec.convert(identity["space"], SearchSpace)
    supernet = Supernet(space, msgspec.convert(identity["networks"], ArchitectureDefaults), training.seed)
    load_parameters(supernet, folder, state)
    return TrainedSupernet(supernet.to(device), training, identity["dataset"], parameters_sha256(state["parameters"]))


def supernet_sha256(folder: Path) -> str:
    """The SHA-256 of the parameters that :func:`load_supernet` would give, without building the supernet.

    Raises:
        CheckpointMismatch: There is none in the folder, or its training is not finished.
    """
    return parameters_sha256(_finished(folder)[1]["parameters"])


def _finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identity and state of the finished supernet in a folder."""
    found = load_checkpoint(folder)
    if found is None:
        raise CheckpointMismatch(
            f"there is no supernet in {folder}; train one with 'hyctas search --supernet {folder}'"
        )
    identity, state = found
    if identity.get("kind") != "supernet":
        raise CheckpointMismatch(f"{folder} holds a {identity.get('kind')}, not a supernet")
    steps = identity["training"]["steps"]
    if state["step"] < steps:
        raise CheckpointMismatch(f"the supernet in {folder} is trained for {state['step']} of {steps} steps")
    return identity, state


def parameters_sha256(parameters: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and values of all parameters, as 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(parameters):
        digest.update(name.encode())
        digest.update(parameters[name].contiguous().numpy().data)
    return digest.hexdigest()


def _passes(job: SupernetJob, module: nn.Module, device: torch.device) -> Passes:
    run: Run = module
    draws = Draws(job.space, job.settings, job.training)
    loss = segmentation_loss(job.dataset, job.training, device)
    if job.training.passes == "single":
        return SinglePath(run, draws, loss)
    return Sandwich(run, draws, loss, extremes(job.space, job.settings, job.training))
