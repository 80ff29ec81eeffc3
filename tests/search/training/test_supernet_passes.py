"""Which networks a step of supernet training takes, and what they learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.supernet.supernet import Supernet
from search.training.losses import SegmentationLoss, distillation_loss
from search.training.supernet_passes import CHUNK, TAUGHT, Draws, Sandwich, SinglePath, extremes
from tests.search.evaluation.tiny import CLASSES, NETWORKS, SIZE, SPACE, awake_supernet
from tests.search.training.small import SETTINGS

torch.set_num_threads(1)
SPACES = (
    SPACE,
    SearchSpace(depth=1, min_cells=1),
    SearchSpace(depth=2, min_cells=1, operators=("conv",), widths=(12,)),
    SearchSpace(depth=3, min_cells=2, max_branches=1),
    SearchSpace(depth=10, max_branches=2),
)


def draws(space: SearchSpace = SPACE, networks: ArchitectureDefaults = NETWORKS, **changes: Any) -> Draws:
    return Draws(space, networks, dataclasses.replace(SETTINGS, **changes))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return awake_supernet()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *SIZE, generator=generator)
    return images, torch.randint(0, CLASSES, (2, *SIZE), generator=generator)


def test_network_of_a_step_depends_on_seed_and_step_alone() -> None:
    """Not on which steps this process has seen."""
    steps = (0, 5, CHUNK - 1, CHUNK, 3 * CHUNK + 7)
    stream = draws()
    forwards = {step: stream.network(step) for step in steps}
    for step in reversed(steps):
        assert draws().network(step) == stream.network(step) == forwards[step]
    assert draws(seed=1).network(0) != forwards[0]
    assert draws(steps=9000, learning_rate=1.0).network(5) == forwards[5]


def test_any_chunk_is_a_stratified_sample() -> None:
    stream = draws()
    for chunk in (0, 1):
        found = [stream.network(chunk * CHUNK + place) for place in range(CHUNK)]
        assert len(set(found)) == CHUNK
        counts = [len(network.branches) for network in found]
        assert [counts.count(branches) for branches in (1, 2, 3)] == [CHUNK // 3] * 3
    expected = sample_structured(SPACE, np.random.default_rng([SETTINGS.seed, 1]), CHUNK, NETWORKS)
    assert tuple(found) == expected


def test_networks_are_drawn_at_the_size_of_the_crops_and_end_at_their_logits() -> None:
    deployed = dataclasses.replace(NETWORKS, height=512, width=1024, output="argmax")
    found = draws(networks=deployed, height=64, width=96).network(0)
    assert (found.input.height, found.input.width, found.output) == (64, 96, "logits")


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"depth {space.depth}, {space.max_branches} branches")
def test_extremes_of_a_space_enclose_its_networks(space: SearchSpace) -> None:
    """But for mixtures of operators and widths, which differ from the ends by little."""
    largest, smallest = extremes(space, NETWORKS, SETTINGS)
    assert space.contains(largest)
    assert space.contains(smallest)
    assert len(smallest.branches) == 1
    assert len(largest.branches) == min(space.max_branches, len(space.scales))
    stream = draws(space)
    macs = [network_macs(stream.network(number)) for number in range(min(CHUNK, space.cardinality))]
    assert network_macs(smallest) <= 1.02 * min(macs)
    assert network_macs(largest) >= 0.98 * max(macs)


def test_single_path_takes_one_network_and_its_whole_loss(supernet: Supernet, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    loss = SegmentationLoss(hardest=0.5)
    (found,) = SinglePath(supernet, draws(), loss).losses(3, images, labels)
    assert found.architecture == draws().network(3)
    assert found.loss.item() == loss(supernet(found.architecture, images), labels).item()


def sandwich(supernet: Supernet) -> Sandwich:
    return Sandwich(supernet, draws(), SegmentationLoss(), extremes(SPACE, NETWORKS, SETTINGS))


def test_sandwich_takes_both_ends_and_two_networks_of_its_own(supernet: Supernet, batch: tuple[Tensor, Tensor]) -> None:
    largest, smallest = extremes(SPACE, NETWORKS, SETTINGS)
    stream = draws()
    for step in (0, 1):
        found = [one.architecture for one in sandwich(supernet).losses(step, *batch)]
        drawn = [stream.network(TAUGHT * step + number) for number in range(TAUGHT)]
        assert found == [largest, *drawn, smallest]


def test_only_the_largest_network_learns_its_logits_from_labels(
    supernet: Supernet, batch: tuple[Tensor, Tensor]
) -> None:
    images, labels = batch
    loss = SegmentationLoss()
    first, *taught = sandwich(supernet).losses(0, images, labels)
    outputs = supernet(first.architecture, images)
    assert first.loss.item() == loss(outputs, labels).item()
    for one in taught:
        logits, *auxiliary = supernet(one.architecture, images)
        expected = distillation_loss(logits, outputs[0]) + loss.of_auxiliary(auxiliary, labels)
        assert one.loss.item() == expected.item()


def test_gradient_of_a_taught_network_stays_in_its_own_parameters(batch: tuple[Tensor, Tensor]) -> None:
    """The largest network is not moved towards those that it teaches, and every head of theirs is used."""
    supernet = awake_supernet()
    passes = sandwich(supernet).losses(0, *batch)
    next(passes).loss.backward()
    for one in passes:
        supernet.zero_grad()
        one.loss.backward()
        assert used(supernet) == set(slots(supernet, one.architecture, batch[0]))


def used(supernet: Supernet) -> set[str]:
    return {name for name, parameter in supernet.named_parameters() if parameter.grad is not None}


def slots(supernet: Supernet, architecture: Architecture, images: Tensor) -> Iterator[str]:
    """Names of all parameters that the training form of a network uses."""
    supernet.zero_grad()
    sum(output.sum() for output in supernet(architecture, images)).backward()
    yield from used(supernet)
