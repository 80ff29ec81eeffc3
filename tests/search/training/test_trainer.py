"""What a step does to parameters, and what stops training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hyctas.architecture import Architecture
from hyctas.architecture_json import read_architecture
from hyctas.decomposition import decompose
from hyctas.errors import CheckpointMismatch, TrainingDiverged
from search.batches import TrainingBatches
from search.evaluation.layout import memory_format
from search.supernet.slots import slot_of
from search.supernet.supernet import Supernet
from search.training.losses import SegmentationLoss
from search.training.ranks import Rank
from search.training.supernet_passes import Draws, Sandwich, extremes
from search.training.supernet_training import SupernetJob
from search.training.trainer import PassLoss, Trained, Trainer
from search.training.training_log import read_log
from tests.search.evaluation.tiny import networks
from tests.search.training.small import CPU, Stopped, Watched, same, state, supernet_job, trained

torch.set_num_threads(1)
PLAIN: dict[str, Any] = {
    "steps": 1,
    "warmup_steps": 0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 0.5,
    "class_weights": False,
}
"""One step that changes parameters by the gradient times a half."""


def draws(job: SupernetJob) -> Draws:
    return Draws(job.space, job.settings, job.training)


def slots(network: Architecture) -> set[str]:
    return {slot_of(network, placed) for placed in decompose(network, training=True).parts}


def before_training(job: SupernetJob) -> Supernet:
    supernet = Supernet(job.space, job.settings, job.training.seed)
    return supernet.to(memory_format=memory_format(CPU.device))  # type: ignore[no-any-return]


def batches(job: SupernetJob, count: int) -> list[tuple[Tensor, Tensor]]:
    size = (job.training.height, job.training.width)
    stream = TrainingBatches(job.dataset.training, size, batch_size=job.training.batch_size, seed=job.training.seed)
    layout = memory_format(CPU.device)
    return [(batch.images.to(memory_format=layout), batch.labels) for batch in map(stream.step, range(count))]


def stepped(job: SupernetJob) -> dict[str, Tensor]:
    """By how much one step changes each parameter, over the learning rate: minus the gradient that it used."""
    before = before_training(job).state_dict()
    after = state(trained(job))["parameters"]
    return {name: (before[name] - after[name]) / job.training.learning_rate for name in before}


def assert_gradients(changes: dict[str, Tensor], supernet: nn.Module) -> None:
    for name, parameter in supernet.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(changes[name], expected, rtol=1e-3, atol=1e-5)


def test_step_follows_the_gradient_of_its_network(tmp_path: Path) -> None:
    job = supernet_job(tmp_path, **PLAIN)
    supernet, (images, labels) = before_training(job), batches(job, 1)[0]
    SegmentationLoss()(supernet(draws(job).network(0), images), labels).backward()
    assert_gradients(stepped(job), supernet)


def test_accumulated_batches_are_averaged(tmp_path: Path) -> None:
    job = supernet_job(tmp_path, accumulation=3, **PLAIN)
    supernet = before_training(job)
    for images, labels in batches(job, 3):
        (SegmentationLoss()(supernet(draws(job).network(0), images), labels) / 3).backward()
    assert_gradients(stepped(job), supernet)


def test_gradients_of_all_passes_of_a_sandwich_are_summed(tmp_path: Path) -> None:
    job = supernet_job(tmp_path, passes="sandwich", **PLAIN)
    supernet, (images, labels) = before_training(job), batches(job, 1)[0]
    ends = extremes(job.space, job.settings, job.training)
    passes = list(Sandwich(supernet, draws(job), SegmentationLoss(), ends).losses(0, images, labels))
    assert len(passes) == 4
    sum(found.loss for found in passes).backward()
    assert_gradients(stepped(job), supernet)
    (record,) = read_log(tmp_path)
    assert record.loss == pytest.approx(sum(found.loss.item() for found in passes) / 4, rel=1e-4)
    assert set(record.architectures) == {found.architecture.key for found in passes}


def test_long_gradients_are_clipped_and_logged_at_their_own_length(tmp_path: Path) -> None:
    free = stepped(supernet_job(tmp_path / "free", **PLAIN))
    clipped = stepped(supernet_job(tmp_path / "clipped", clip_norm=0.1, **PLAIN))
    length = float(torch.cat([change.flatten() for change in free.values()]).norm())
    assert length > 0.2
    for name, change in free.items():
        torch.testing.assert_close(clipped[name], change * 0.1 / length, rtol=1e-2, atol=2e-6)
    for folder in ("free", "clipped"):
        assert read_log(tmp_path / folder)[0].gradient_norm == pytest.approx(length, rel=1e-3)


def test_biases_batch_norms_and_gates_do_not_decay(tmp_path: Path) -> None:
    decay = 0.1
    free = stepped(supernet_job(tmp_path / "free", **PLAIN))
    decaying = stepped(supernet_job(tmp_path / "decaying", **PLAIN | {"weight_decay": decay}))
    job = supernet_job(tmp_path, **PLAIN)
    used = slots(draws(job).network(0))
    for name, parameter in before_training(job).named_parameters():
        decays = parameter.ndim > 1 and any(name.startswith(f"{slot}.") for slot in used)
        expected = free[name] + decay * parameter.detach() if decays else free[name]
        torch.testing.assert_close(decaying[name], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_slots_that_a_step_does_not_use_do_not_move(tmp_path: Path, optimiser: str) -> None:
    """Neither by decay nor by momentum, though the step before used them."""
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    job = supernet_job(
        folder, optimiser=optimiser, weight_decay=0.3, learning_rate=0.01, warmup_steps=0, checkpoint_every=1
    )
    with pytest.raises(Stopped):
        trained(job, Watched(stop_at=3, copy_at=(2, folder, copy)))
    first, second = state(copy), state(folder)
    assert (first["step"], second["step"]) == (1, 2)
    earlier, used = slots(draws(job).network(0)), slots(draws(job).network(1))
    order = list(before_training(job).named_parameters())
    numbers = [name for name, p in order if p.ndim > 1] + [name for name, p in order if p.ndim <= 1]
    rested = went_on = 0
    for number, name in enumerate(numbers):
        moved = not torch.equal(first["parameters"][name], second["parameters"][name])
        kept = same(first["optimiser"]["state"].get(number), second["optimiser"]["state"].get(number))
        uses = any(name.startswith(f"{slot}.") for slot in used)
        assert uses or (kept and not moved), name
        rested += not uses and any(name.startswith(f"{slot}.") for slot in earlier)
        went_on += moved and not kept
    assert rested > 10
    assert went_on > 10


@pytest.mark.parametrize("way", [{}, {"class_weights": True}, {"passes": "sandwich"}], ids=str)
def test_loss_that_is_not_finite_names_step_and_network(tmp_path: Path, way: dict[str, Any]) -> None:
    job = supernet_job(tmp_path, learning_rate=1e30, warmup_steps=0, checkpoint_every=1, **way)
    with pytest.raises(TrainingDiverged, match=r"the loss of step 1 is (nan|inf)") as error:
        trained(job)
    network = read_architecture(json.loads((tmp_path / "diverged.json").read_text()))
    if way.get("passes") != "sandwich":
        assert network == draws(job).network(1)
    assert network.key[:12] in str(error.value)
    assert str(tmp_path / "diverged.json") in str(error.value)
    assert state(tmp_path)["step"] == 1
    assert [record.step for record in read_log(tmp_path)] == [0]


class ZeroWithoutGradient:
    """A loss of 0 whose gradient is not a number."""

    def __init__(self, weight: Tensor, architectures: tuple[Architecture, ...]) -> None:
        self._weight = weight
        self._architectures = architectures

    def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
        for architecture in self._architectures:
            yield PassLoss(architecture, (self._weight.sum() * 0.0).sqrt())


def test_gradient_that_is_not_finite_names_all_networks_of_the_step(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    module, two = nn.Linear(2, 2), tuple(networks(2))
    stream = TrainingBatches(job.dataset.training, (32, 64), batch_size=2, seed=0)
    passes = ZeroWithoutGradient(module.weight, two)
    trainer = Trainer(
        Trained(module, {}, tmp_path), passes, batches=stream, settings=job.training, rank=CPU, progress=Watched()
    )
    before = module.weight.detach().clone()
    with pytest.raises(TrainingDiverged, match="the gradient of step 0 has length nan") as error:
        trainer.run()
    assert torch.equal(module.weight, before)
    assert all(network.key[:12] in str(error.value) for network in two)
    stored = json.loads((tmp_path / "diverged.json").read_text())
    assert tuple(map(read_architecture, stored)) == two


def test_other_number_of_processes_cannot_go_on(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    with pytest.raises(Stopped):
        trained(job, Watched(stop_at=3))
    stream = TrainingBatches(job.dataset.training, (32, 64), batch_size=2, seed=0)
    supernet = before_training(job)
    two = dataclasses.replace(CPU, world=2)
    trainer = Trainer(
        Trained(supernet, job.identity, tmp_path),
        ZeroWithoutGradient(torch.ones(1), ()),
        batches=stream,
        settings=job.training,
        rank=two,
        progress=Watched(),
    )
    with pytest.raises(CheckpointMismatch, match="by 1 processes together, which 2 cannot go on with"):
        trainer.run()


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    stream = TrainingBatches(job.dataset.training, (32, 64), batch_size=2, seed=0)
    module = nn.Linear(2, 2)

    class Constant(ZeroWithoutGradient):
        def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
            yield PassLoss(self._architectures[0], self._weight.square().mean())

    trainer = Trainer(
        Trained(module, {}, tmp_path / "folder"),
        Constant(module.weight, tuple(networks(1))),
        batches=stream,
        settings=job.training,
        rank=Rank(torch.device("cpu"), number=1, world=2),
        progress=Watched(),
    )
    trainer.run()
    assert not (tmp_path / "folder").exists()


def test_log_says_what_each_step_trained(tmp_path: Path) -> None:
    job = supernet_job(tmp_path)
    records = read_log(trained(job))
    assert [record.architectures for record in records] == [(draws(job).network(step).key,) for step in range(6)]
    assert all(record.seconds > 0 and record.gradient_norm for record in records)
    assert [record.learning_rate for record in records[:2]] == pytest.approx([0.025, 0.05 * (5 / 6) ** 0.9])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_loss_falls(tmp_path: Path, precision: str) -> None:
    learning: dict[str, Any] = {"optimiser": "adamw", "learning_rate": 0.02, "batch_size": 4, "hardest": 1.0}
    job = supernet_job(tmp_path, steps=30, checkpoint_every=30, precision=precision, **learning)
    losses = [record.loss for record in read_log(trained(job))]
    assert sum(losses[-6:]) / 6 < 0.5 * sum(losses[:3]) / 3
