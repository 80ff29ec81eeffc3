"""What a step of supernet training does: one sampled network, or a sandwich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final

import numpy as np
from torch import Tensor

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.cell import Branch, Cell
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.supernet.sizes import resized, with_logits
from search.training.losses import SegmentationLoss, distillation_loss
from search.training.settings import TrainingSettings
from search.training.trainer import PassLoss

CHUNK: Final = 96
"""Networks that are drawn at once, so that any stretch of training sees all strata."""
TAUGHT: Final = 2
"""Networks of a sandwich between the largest and the smallest."""

Run = Callable[[Architecture, Tensor], tuple[Tensor, ...]]
"""Runs a network of the supernet: logits, then auxiliary logits."""


class Draws:
    """The networks of each step, which depend on the seed and the step alone.

    Args:
        space: Where to draw.
        networks: Everything about them but their branches.
        training: Their input size, and the seed.
    """

    def __init__(self, space: SearchSpace, networks: ArchitectureDefaults, training: TrainingSettings) -> None:
        self._space = space
        self._networks = networks
        self._training = training
        self._chunk: tuple[int, tuple[Architecture, ...]] = (-1, ())
        self._size = min(CHUNK, space.cardinality)

    def network(self, number: int) -> Architecture:
        """The `number`-th network of the stream, at the training size."""
        chunk, place = divmod(number, self._size)
        if chunk != self._chunk[0]:
            rng = np.random.default_rng([self._training.seed, chunk])
            self._chunk = chunk, sample_structured(self._space, rng, self._size, self._networks)
        drawn = with_logits(self._chunk[1][place])
        return resized(drawn, height=self._training.height, width=self._training.width)


class SinglePath:
    """One network a step; Guo et al., "Single Path One-Shot Neural Architecture Search", ECCV 2020."""

    def __init__(self, run: Run, draws: Draws, loss: SegmentationLoss) -> None:
        self._run = run
        self._draws = draws
        self._loss = loss

    def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
        """The loss of the step's network."""
        network = self._draws.network(step)
        yield PassLoss(network, self._loss(self._run(network, images), labels))


class Sandwich:
    """The largest network on the labels; two drawn ones and the smallest on what the largest says.

    Auxiliary outputs always learn from the labels. Yu and Huang, "Universally Slimmable Networks and Improved Training
    Techniques", ICCV 2019.
    """

    def __init__(self, run: Run, draws: Draws, loss: SegmentationLoss, ends: tuple[Architecture, Architecture]) -> None:
        self._run = run
        self._draws = draws
        self._loss = loss
        self._largest, self._smallest = ends

    def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
        """The loss of each of the four networks."""
        outputs = self._run(self._largest, images)
        teacher = outputs[0].detach()
        yield PassLoss(self._largest, self._loss(outputs, labels))
        for number in range(TAUGHT):
            yield self._taught(self._draws.network(TAUGHT * step + number), images, labels, teacher)
        yield self._taught(self._smallest, images, labels, teacher)

    def _taught(self, network: Architecture, images: Tensor, labels: Tensor, teacher: Tensor) -> PassLoss:
        logits, *auxiliary = self._run(network, images)
        taught = distillation_loss(logits, teacher)
        return PassLoss(network, taught + self._loss.of_auxiliary(auxiliary, labels))


def extremes(
    space: SearchSpace, networks: ArchitectureDefaults, training: TrainingSettings
) -> tuple[Architecture, Architecture]:
    """The costliest of the wide deep networks that repeat one operator, and the cheapest of the narrow short ones."""
    wide = [sets for op in space.operators for sets in _full(space, Cell(op, space.widths[-1], False))]
    narrow = [sets for op in space.operators for sets in _least(space, Cell(op, space.widths[0], False))]
    largest, smallest = (
        [
            resized(with_logits(networks.architecture(branches)), height=training.height, width=training.width)
            for branches in found
        ]
        for found in (wide, narrow)
    )
    return max(largest, key=network_macs), min(smallest, key=network_macs)


def _full(space: SearchSpace, cell: Cell) -> Iterator[tuple[Branch, ...]]:
    """As many branches as there may be, as deep as the space goes, that go down at once or as late as they can."""
    for scales in combinations(space.scales, min(space.max_branches, len(space.scales))):
        yield tuple(_branch(cell, space.depth, scale, late=True) for scale in scales)
        yield tuple(_branch(cell, space.depth, scale, late=False) for scale in scales)


def _least(space: SearchSpace, cell: Cell) -> Iterator[tuple[Branch, ...]]:
    """One branch to each scale, as short as the space allows."""
    for scale in space.scales:
        yield (_branch(cell, space.fewest_cells(scale), scale, late=False),)


def _branch(cell: Cell, length: int, scale: int, *, late: bool) -> Branch:
    keeping, down = [cell] * (length - 1 - scale), [Cell(cell.op, cell.width, True)] * scale
    return Branch((*(keeping + down if late else down + keeping), Cell(cell.op, None, False)))
