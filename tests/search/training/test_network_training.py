"""Training of one network by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch
from hyctas.lowering import lower
from hyctas.torch_form import GraphModule, to_numpy
from hyctas.weights import initial_weights
from search.batches import EvaluationBatches
from search.evaluation.quality import module_quality
from search.supernet.deriving import derive
from search.supernet.supernet import Supernet
from search.training.network_training import NetworkJob, deployed, train_network
from tests.search.evaluation.tiny import CLASSES, SIZE, awake_supernet, networks, squares
from tests.search.training.small import CPU, SETTINGS, Stopped, Watched, same, state

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network() -> Architecture:
    """A network of three branches, so that it has all auxiliary heads."""
    return next(architecture for architecture in networks(12) if len(architecture.branches) == 3)


def network_job(network: Architecture, folder: Path, *, start: str = "", **changes: Any) -> NetworkJob:
    return NetworkJob(network, squares(), dataclasses.replace(SETTINGS, **changes), folder, start)


def trained_network(
    job: NetworkJob, progress: Watched | None = None, *, supernet: Supernet | None = None, until: int | None = None
) -> GraphModule:
    return train_network(job, rank=CPU, progress=progress or Watched(), supernet=supernet, until=until)


def test_stopped_and_resumed_network_equals_an_undisturbed_one(tmp_path: Path, network: Architecture) -> None:
    """To the last bit, running statistics of batch norms included."""
    undisturbed = trained_network(network_job(network, tmp_path / "undisturbed"))
    for stop_at in (1, 3, 5):
        with pytest.raises(Stopped):
            trained_network(network_job(network, tmp_path / "stopped"), Watched(stop_at=stop_at))
    resumed = trained_network(network_job(network, tmp_path / "stopped"))
    assert same(resumed.state_dict(), undisturbed.state_dict())


def test_network_trained_until_a_step_goes_on_behind_it(tmp_path: Path, network: Architecture) -> None:
    undisturbed = trained_network(network_job(network, tmp_path / "undisturbed"))
    progress = Watched()
    halfway = trained_network(network_job(network, tmp_path / "halfway"), until=3)
    whole = trained_network(network_job(network, tmp_path / "halfway"), progress)
    assert progress.began == [(6, 3)]
    assert not same(halfway.state_dict(), undisturbed.state_dict())
    assert same(whole.state_dict(), undisturbed.state_dict())


def test_network_from_scratch_starts_with_initial_weights(tmp_path: Path, network: Architecture) -> None:
    job = network_job(network, tmp_path, seed=7)
    found = to_numpy(trained_network(job, until=0))
    expected = initial_weights(lower(job.trained_form, training=True), seed=7)
    assert all((found[name] == expected[name]).all() for name in found)


def test_network_from_a_supernet_starts_with_its_slices(tmp_path: Path, network: Architecture) -> None:
    supernet = awake_supernet(seed=3)
    found = trained_network(network_job(network, tmp_path, start="3"), supernet=supernet, until=0)
    assert same(found.state_dict(), derive(supernet, network).state_dict())


def test_training_a_network_leaves_the_supernet_as_it_is(tmp_path: Path, network: Architecture) -> None:
    supernet, untouched = awake_supernet(), awake_supernet()
    trained_network(network_job(network, tmp_path, start="0"), supernet=supernet)
    assert same(supernet.state_dict(), untouched.state_dict())


def test_every_parameter_of_the_training_form_is_trained(tmp_path: Path, network: Architecture) -> None:
    """Auxiliary heads too; the attention of one sees more than one key only on larger images."""
    job = network_job(network, tmp_path, height=64, width=128)
    trained_network(job)
    graph = lower(job.trained_form, training=True)
    initial = initial_weights(graph, seed=0)
    parameters = state(tmp_path)["parameters"]
    assert any("auxiliary" in name for name in parameters)
    for parameter in graph.parameters:
        assert not torch.equal(parameters[parameter.name], torch.from_numpy(initial[parameter.name])), parameter.name


def test_deployed_network_gives_the_logits_of_the_trained_one(network: Architecture) -> None:
    trained_form = derive(awake_supernet(), network, training=True).eval()
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, *auxiliary = trained_form(images)
        found = deployed(network, trained_form)(images)
    assert len(auxiliary) == 2
    assert isinstance(found, torch.Tensor)
    assert torch.allclose(found, expected, atol=1e-5)


def test_network_is_deployed_at_its_own_size(tmp_path: Path, network: Architecture) -> None:
    larger = dataclasses.replace(network, input=dataclasses.replace(network.input, height=64, width=96))
    module = trained_network(network_job(larger, tmp_path), until=1)
    assert not module.training
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 64, 96)).shape == (1, CLASSES, 16, 24)


@pytest.mark.parametrize("change", ["start", "seed"])
def test_network_trained_otherwise_is_not_taken_up(tmp_path: Path, network: Architecture, change: str) -> None:
    trained_network(network_job(network, tmp_path, start="a"), until=1)
    other = network_job(network, tmp_path, start="b") if change == "start" else network_job(network, tmp_path, seed=1)
    with pytest.raises(CheckpointMismatch, match=change):
        trained_network(other)


def test_another_network_is_not_taken_up(tmp_path: Path, network: Architecture) -> None:
    trained_network(network_job(network, tmp_path), until=1)
    other = next(architecture for architecture in networks(12) if architecture != network)
    with pytest.raises(CheckpointMismatch, match=f"architecture is .* there and {other.key}"):
        trained_network(network_job(other, tmp_path))


@pytest.mark.slow
def test_network_learns(tmp_path: Path, network: Architecture) -> None:
    """One that says the most frequent class everywhere has an mIoU below a third."""
    job = network_job(network, tmp_path, steps=60, batch_size=6, optimiser="adamw", learning_rate=0.01)
    batches = EvaluationBatches(job.dataset.validation, SIZE, batch_size=7)
    before = module_quality(trained_network(job, until=0), batches, CLASSES).miou
    after = module_quality(trained_network(job), batches, CLASSES).miou
    assert before < 0.4
    assert after > 0.5
