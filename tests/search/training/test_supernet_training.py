"""Supernets in folders: trained, taken as they are, refused, loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from hyctas.errors import CheckpointMismatch
from hyctas.space import SearchSpace
from search.evaluation.quality import Fidelity, Quality, SupernetQuality
from search.supernet.supernet import Supernet
from search.training.checkpoint import NAME, save_checkpoint
from search.training.supernet_training import SupernetJob, is_trained, load_supernet, parameters_sha256
from tests.search.evaluation.tiny import CLASSES, SIZE, SPACE, networks, squares
from tests.search.training.small import Stopped, Watched, same, sha256, state, supernet_job, trained

torch.set_num_threads(1)


def test_loaded_supernet_is_the_trained_one(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    found = load_supernet(trained(job))
    assert found.training == job.training
    assert found.dataset == job.dataset.digest
    assert found.supernet.space == SPACE
    assert found.supernet.settings == job.settings
    assert same(dict(found.supernet.state_dict()), dict(state(tmp_path)["parameters"]))
    assert found.sha256 == sha256(tmp_path)
    assert found.sha256 != parameters_sha256(Supernet(SPACE, job.settings, 0).state_dict())


def test_finished_checkpoint_holds_no_more_than_is_needed(tmp_path: Path) -> None:
    assert set(state(trained(supernet_job(tmp_path)))) == {"step", "parameters"}


def test_unfinished_supernet_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(supernet_job(tmp_path), Watched(stop_at=5))
    with pytest.raises(CheckpointMismatch, match="is trained for 4 of 6 steps"):
        load_supernet(tmp_path)
    assert not is_trained(supernet_job(tmp_path))


def test_folder_without_a_supernet_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match=r"there is no supernet in .* train one with"):
        load_supernet(tmp_path)
    assert not is_trained(supernet_job(tmp_path))


def test_network_is_no_supernet(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"kind": "network"}, {"step": 1, "parameters": {}})
    with pytest.raises(CheckpointMismatch, match="holds a network, not a supernet"):
        load_supernet(tmp_path)


def test_finished_supernet_is_taken_as_it_is_however_it_was_trained(tmp_path: Path) -> None:
    trained(supernet_job(tmp_path))
    before = (tmp_path / NAME).read_bytes()
    longer = supernet_job(tmp_path, steps=50, optimiser="adamw")
    assert is_trained(longer)
    trained(longer)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
def test_supernet_of_another_space_or_data_set_is_refused(tmp_path: Path, finished: bool) -> None:
    job = supernet_job(tmp_path)
    if finished:
        trained(job)
    else:
        with pytest.raises(Stopped):
            trained(job, Watched(stop_at=3))
    before = (tmp_path / NAME).read_bytes()
    deeper = dataclasses.replace(job, space=SearchSpace(depth=5, min_cells=3))
    with pytest.raises(CheckpointMismatch, match=r"space\.depth is 4 there and 5 here"):
        trained(deeper)
    others = dataclasses.replace(job, dataset=dataclasses.replace(squares(), digest="1"))
    with pytest.raises(CheckpointMismatch, match="dataset is 0 there and 1 here"):
        trained(others)
    assert (tmp_path / NAME).read_bytes() == before


def test_unfinished_supernet_is_refused_to_other_training(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(supernet_job(tmp_path), Watched(stop_at=3))
    with pytest.raises(CheckpointMismatch, match=r"training\.learning_rate is 0\.05 there and 0\.1 here"):
        trained(supernet_job(tmp_path, learning_rate=0.1))


def test_supernet_does_not_depend_on_the_size_that_is_deployed(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    large = dataclasses.replace(
        job, networks=dataclasses.replace(job.networks, height=512, width=1024, output="argmax")
    )
    assert large.identity == job.identity


def test_classes_are_those_of_the_data_set(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    other = dataclasses.replace(job, networks=dataclasses.replace(job.networks, classes=19))
    assert other.settings.classes == len(job.dataset.classes)


def test_digest_depends_on_values_and_names_not_on_memory_layout() -> None:
    tensor = torch.arange(48.0).reshape(2, 3, 2, 4)
    last = tensor.contiguous(memory_format=torch.channels_last)
    assert parameters_sha256({"a": tensor}) == parameters_sha256({"a": last})
    assert parameters_sha256({"a": tensor}) != parameters_sha256({"b": tensor})
    assert parameters_sha256({"a": tensor}) != parameters_sha256({"a": tensor + 1})


@pytest.mark.slow
def test_supernet_learns(tmp_path: Path) -> None:
    """Its networks say more than the most frequent class, whose mIoU is below a third."""
    job = supernet_job(tmp_path, steps=40, batch_size=4, optimiser="adamw", learning_rate=0.01)
    scores = {name: scored(supernet, job) for name, supernet in supernets(job).items()}
    assert scores["trained"] > 0.4 > scores["untrained"]


def supernets(job: SupernetJob) -> dict[str, Supernet]:
    untrained = Supernet(job.space, job.settings, job.training.seed)
    return {"trained": load_supernet(trained(job)).supernet, "untrained": untrained}


def scored(supernet: Supernet, job: SupernetJob) -> float:
    """Mean mIoU of a few networks."""
    quality = SupernetQuality(supernet, job.dataset, SIZE)
    found = [quality(network, Fidelity()) for network in networks(4, seed=1)]
    assert supernet.settings.classes == CLASSES
    return sum(one.miou for one in found if isinstance(one, Quality)) / len(found)
