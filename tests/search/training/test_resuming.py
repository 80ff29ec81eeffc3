"""Training that is stopped ends like training that is not, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from search.training.training_log import read_log
from tests.search.training.small import Stopped, Watched, same, sha256, state, supernet_job, trained

torch.set_num_threads(1)
WAYS: list[dict[str, Any]] = [
    {},
    {"optimiser": "adamw", "learning_rate": 0.003, "accumulation": 2},
    {"passes": "sandwich", "clip_norm": 1.0, "class_weights": True},
    {"precision": "bf16"},
]
IDS = ["sgd", "adamw-accumulation", "sandwich-clipped", "bf16"]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_stopped_and_resumed_training_equals_an_undisturbed_one(tmp_path: Path, way: dict[str, Any]) -> None:
    watching = Watched(copy_at=(5, tmp_path / "undisturbed", tmp_path / "copy"))
    undisturbed = trained(supernet_job(tmp_path / "undisturbed", **way), watching)
    stopped = supernet_job(tmp_path / "stopped", **way)
    for stop_at in (4, 5):
        with pytest.raises(Stopped):
            trained(stopped, Watched(stop_at))
    ours, theirs = state(stopped.folder), state(tmp_path / "copy")
    assert ours["step"] == 4
    assert ours["optimiser"]["state"]
    assert same(ours, theirs)
    assert sha256(trained(stopped)) == sha256(undisturbed)


def test_training_again_from_the_start_gives_the_same_bits(tmp_path: Path) -> None:
    one, other = (trained(supernet_job(tmp_path / name)) for name in ("one", "other"))
    assert sha256(one) == sha256(other)
    assert [record.loss for record in read_log(one)] == [record.loss for record in read_log(other)]


def test_another_seed_gives_another_supernet(tmp_path: Path) -> None:
    one, other = (trained(supernet_job(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert sha256(one) != sha256(other)


def test_log_has_every_step_once_after_resuming(tmp_path: Path) -> None:
    undisturbed = trained(supernet_job(tmp_path / "undisturbed"))
    with pytest.raises(Stopped):
        trained(supernet_job(tmp_path / "stopped"), Watched(stop_at=5))
    with (tmp_path / "stopped" / "training.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    trained(supernet_job(tmp_path / "stopped"))
    ours, theirs = read_log(tmp_path / "stopped"), read_log(undisturbed)
    assert [record.step for record in ours] == [0, 1, 2, 3, 4, 5]
    assert [(r.loss, r.learning_rate, r.architectures) for r in ours] == [
        (r.loss, r.learning_rate, r.architectures) for r in theirs
    ]


def test_resuming_says_how_much_was_done(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(supernet_job(tmp_path), Watched(stop_at=3))
    progress = Watched()
    trained(supernet_job(tmp_path), progress)
    assert progress.began == [(6, 2)]
    assert len(progress.losses) == 4


def test_finished_training_is_left_as_it_is(tmp_path: Path) -> None:
    trained(supernet_job(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    progress = Watched()
    trained(supernet_job(tmp_path), progress)
    assert progress == Watched()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_progress_is_told_the_loss_that_is_logged(tmp_path: Path) -> None:
    progress = Watched()
    folder = trained(supernet_job(tmp_path, accumulation=2, passes="sandwich"), progress)
    assert progress.losses == [record.loss for record in read_log(folder)]
