"""Training in two processes, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from hyctas.errors import CheckpointMismatch, InvalidInput, TrainingDiverged
from search.datasets.catalogue import open_dataset
from search.supernet.supernet import Supernet
from search.training.checkpoint import save_checkpoint
from search.training.distributed import train_together
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, load_supernet
from search.training.training_log import read_log
from tests.search.evaluation.tiny import NETWORKS, SPACE
from tests.search.training.small import SETTINGS, Stopped, Watched, state, trained

torch.set_num_threads(1)
pytestmark = pytest.mark.slow
DATASET = "synthetic:0:12+5:32x64"


def job(folder: Path, **changes: Any) -> SupernetJob:
    document = {name: getattr(SETTINGS, name) for name in SETTINGS.__slots__} | changes
    return SupernetJob(SPACE, NETWORKS, open_dataset(DATASET), TrainingSettings(**document), folder)


def largest_difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_two_processes_equal_one_that_averages_the_gradients_of_both(tmp_path: Path) -> None:
    """Passes of a sandwich use different parameters, so those that one process does not use are seen too."""
    way = {"steps": 2, "batch_size": 4, "passes": "sandwich", "learning_rate": 0.001}
    progress = Watched()
    train_together(job(tmp_path / "two", **way), DATASET, world=2, device="cpu", progress=progress)
    trained(job(tmp_path / "one", accumulation=2, **way))
    two, one = (load_supernet(tmp_path / name).supernet.state_dict() for name in ("two", "one"))
    untrained = Supernet(SPACE, job(tmp_path).settings, SETTINGS.seed).state_dict()
    assert largest_difference(two, one) < 1e-6
    assert largest_difference(two, untrained) > 1e-4
    assert progress.began == [(2, 0)]
    assert progress.losses == [record.loss for record in read_log(tmp_path / "two")]


def test_divergence_in_one_process_is_told_and_ends_all(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"of step \d"):
        train_together(
            job(tmp_path, learning_rate=1e30, warmup_steps=0), DATASET, world=2, device="cpu", progress=Watched()
        )
    assert (tmp_path / "diverged.json").exists()


def test_more_processes_than_gpus_are_refused(tmp_path: Path) -> None:
    count = torch.cuda.device_count()
    with pytest.raises(InvalidInput, match=f"up to {count}, the GPUs of this machine"):
        train_together(job(tmp_path), DATASET, world=count + 1, device="cuda", progress=Watched())


def test_what_two_processes_began_is_not_taken_up_by_one(tmp_path: Path) -> None:
    """The rest of its data would not be what two have left."""
    begun = job(tmp_path, checkpoint_every=1)
    with pytest.raises(Stopped):
        trained(begun, Watched(stop_at=2))
    save_checkpoint(tmp_path, begun.identity, state(tmp_path) | {"world": 2})
    with pytest.raises(CheckpointMismatch, match="training by 2 processes together, which 1 cannot go on with"):
        trained(begun)
