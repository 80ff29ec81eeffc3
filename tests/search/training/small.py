"""A supernet that trains in a second, and what tests of training look at."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch

from search.training.checkpoint import NAME, load_checkpoint
from search.training.ranks import alone
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, parameters_sha256, train_supernet
from search.training.trainer import TrainingProgress
from tests.search.evaluation.tiny import NETWORKS, SIZE, SPACE, squares

CPU = alone("cpu")
SETTINGS = TrainingSettings(
    steps=6, batch_size=2, height=SIZE[0], width=SIZE[1], learning_rate=0.05, warmup_steps=2, checkpoint_every=2
)


class Stopped(Exception):
    """Training was stopped in the middle."""


@dataclasses.dataclass
class Watched:
    """Remembers what it is told, at the end of each step; steps count from 1 here.

    Attributes:
        stop_at: Stops training at the end of this step, as if somebody had.
        copy_at: At the end of which step to copy the checkpoint of one folder into another.
    """

    stop_at: int | None = None
    copy_at: tuple[int, Path, Path] | None = None
    began: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    losses: list[float] = dataclasses.field(default_factory=list)

    def training(self, steps: int, done: int) -> None:
        self.began.append((steps, done))

    def trained(self, loss: float) -> None:
        self.losses.append(loss)
        step = self.began[-1][1] + len(self.losses)
        if self.copy_at is not None and step == self.copy_at[0]:
            _, source, copy = self.copy_at
            copy.mkdir()
            shutil.copy(source / NAME, copy)
        if step == self.stop_at:
            raise Stopped


def supernet_job(folder: Path, **changes: Any) -> SupernetJob:
    """A supernet to train for a few steps, with settings changed as wanted."""
    return SupernetJob(SPACE, NETWORKS, squares(), dataclasses.replace(SETTINGS, **changes), folder)


def trained(job: SupernetJob, progress: TrainingProgress | None = None) -> Path:
    """The job's folder, after training."""
    train_supernet(job, rank=CPU, progress=progress or Watched())
    return job.folder


def state(folder: Path) -> dict[str, Any]:
    """What the checkpoint of a folder holds."""
    found = load_checkpoint(folder)
    assert found is not None, f"no {NAME} in {folder}"
    return found[1]


def sha256(folder: Path) -> str:
    """Of the parameters in the checkpoint of a folder."""
    return parameters_sha256(state(folder)["parameters"])


def same(one: Any, other: Any) -> bool:
    """Whether nested values are equal, tensors to the last bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
