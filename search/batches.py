"""Batches of images: endless augmented ones to train on, fixed ones to score and to recalibrate on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hyctas.errors import DatasetError, InvalidInput
from search.augmentation import Augmentation, augmented
from search.datasets.dataset import Split
from search.loading import loaded
from search.resampling import Size, View, check_size, whole

DEFAULT_AUGMENTATION: Final = Augmentation()
KEPT_BYTES: Final = 256 << 20
"""Memory in which evaluation batches are kept between passes; larger sets are prepared in every pass."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images and labels of one size.

    Attributes:
        images: Normalised colours, float32, (N, 3, h, w).
        labels: Class ids or `IGNORE`, int64, (N, h, w).
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Images in the batch."""
        return len(self.images)

    def to(self, device: torch.device | str) -> Batch:
        """The batch on `device`."""
        return Batch(self.images.to(device, non_blocking=True), self.labels.to(device, non_blocking=True))


@dataclass(frozen=True, slots=True)
class TrainingBatches:
    """Batches for training, each epoch in another order.

    What a step holds depends on its number, the seed and the rank alone, so resuming needs no state. All ranks
    together take the images that one process with a batch `world` times as large would.

    Args:
        split: Where images come from.
        size: Height and width of the crops, multiples of 32.
        batch_size: Images a step, of each rank.
        seed: Source of all randomness, not negative.
        augmentation: How images are changed.
        workers: Processes that prepare batches ahead; 0 prepares them where they are used.
        rank: Which of `world` training processes this is.
        world: How many there are.

    Raises:
        InvalidInput: A value is out of range.
        DatasetError: The split is empty.
    """

    split: Split
    size: Size
    _: KW_ONLY
    batch_size: int
    seed: int
    augmentation: Augmentation = DEFAULT_AUGMENTATION
    workers: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        """Refuse what makes no batch."""
        check_size(self.size)
        _check_at_least("batch_size", self.batch_size, 1)
        _check_at_least("seed", self.seed, 0)
        _check_at_least("workers", self.workers, 0)
        _check_not_empty(self.split)
        if not 0 <= self.rank < self.world:
            raise InvalidInput("rank", self.rank, f"0 to {self.world - 1}, one of {self.world} processes")

    def starting_at(self, step: int) -> Iterator[Batch]:
        """The batches of steps `step`, `step` + 1, and so on without end.

        Raises:
            DatasetError: An image or a mask cannot be used.
        """
        return loaded(self.step, start=step, workers=self.workers, split=self.split)

    def step(self, step: int) -> Batch:
        """The batch of one step."""
        first = (step * self.world + self.rank) * self.batch_size
        return _stacked([self._view(draw) for draw in range(first, first + self.batch_size)])

    def _view(self, draw: int) -> View:
        """The image of the `draw`-th draw since the start, changed at random."""
        epoch, place = divmod(draw, len(self.split))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.split))
        rng = np.random.default_rng([self.seed, 1, draw])
        return augmented(self.split[int(order[place])], self.size, self.augmentation, rng)


class EvaluationBatches(Sequence[Batch]):
    """Unchanged images in a fixed order, scaled to fit, their aspect kept.

    Args:
        split: Where images come from.
        size: Height and width, multiples of 32; the rest of the canvas has the mean colour and `IGNORE`.
        batch_size: Images a batch; the last holds what is left.
        limit: At most this many images, spread evenly over the split; all unless given.

    Raises:
        InvalidInput: A value is out of range.
        DatasetError: The split is empty.
    """

    def __init__(self, split: Split, size: Size, *, batch_size: int, limit: int | None = None) -> None:
        check_size(size)
        _check_at_least("batch_size", batch_size, 1)
        _check_not_empty(split)
        if limit is not None:
            _check_at_least("limit", limit, 1)
        self.split, self.size, self.batch_size = split, size, batch_size
        self.indices = spread(len(split), len(split) if limit is None else min(limit, len(split)))
        self._kept: dict[int, Batch] = {}

    def __len__(self) -> int:
        """Number of batches."""
        return -(-len(self.indices) // self.batch_size)

    def __getitem__(self, number: int) -> Batch:  # type: ignore[override]
        """The batch `number`, which must not be written to."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        if number in self._kept:
            return self._kept[number]
        first = number * self.batch_size
        batch = unchanged(self.split, self.indices[first : first + self.batch_size], self.size)
        if self._size_bytes <= KEPT_BYTES:
            self._kept[number] = batch
        return batch

    @property
    def _size_bytes(self) -> int:
        item_bytes = 3 * 4 + 8
        return len(self.indices) * self.size[0] * self.size[1] * item_bytes


def fixed_batches(split: Split, size: Size, batch_size: int, count: int) -> tuple[Batch, ...]:
    """Unchanged images for the statistics of batch norms, spread evenly over `split` and within each batch.

    Raises:
        InvalidInput: `batch_size` is 1: a batch norm at one pixel has no variance then.
        DatasetError: The split is empty.
    """
    check_size(size)
    _check_at_least("batch_size", batch_size, 2)
    _check_at_least("count", count, 1)
    _check_not_empty(split)
    indices = spread(len(split), batch_size * count)
    return tuple(unchanged(split, indices[number::count], size) for number in range(count))


def unchanged(split: Split, indices: Sequence[int], size: Size) -> Batch:
    """The images at `indices`, scaled to fit."""
    return _stacked([whole(split[index], size) for index in indices])


def spread(length: int, count: int) -> list[int]:
    """`count` indices below `length`, evenly spaced; some repeat where `count` is larger."""
    return [(2 * place + 1) * length // (2 * count) for place in range(count)]


def _stacked(views: Sequence[View]) -> Batch:
    images = torch.from_numpy(np.stack([view.image for view in views]))
    labels = torch.from_numpy(np.stack([view.labels for view in views]).astype(np.int64))
    return Batch(images, labels)


def _check_not_empty(split: Split) -> None:
    if not len(split):
        raise DatasetError(f"there are no {split.name} images")


def _check_at_least(name: str, value: int, smallest: int) -> None:
    if value < smallest:
        raise InvalidInput(name, value, f"at least {smallest}")
