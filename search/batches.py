"""Batches: random crops to train on, whole images to score on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hyctas.errors import DatasetError, InvalidInput
from search.augmentation import Augmentation, Size, augmented, fitted, normalised
from search.datasets.dataset import Image, Labels, Split

DEFAULT_AUGMENTATION: Final = Augmentation()
SIDE_MULTIPLE: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images with their labels.

    Attributes:
        images: Normalised, float32, (batch, 3, height, width).
        labels: Class ids or ``IGNORE``, int64, (batch, height, width).
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class TrainingBatches:
    """Random crops without end; what a batch holds depends on seed, number and rank alone.

    Attributes:
        split: Where images come from.
        size: Height and width, multiples of 32.
        batch_size: Images in a batch.
        seed: Draws images and crops.
        augmentation: How much crops vary.
        workers: Processes that prepare batches ahead; 0 prepares them when they are asked for.
        rank: Which process this is of those that train together.
        world: How many those are; they get different images.

    Raises:
        InvalidInput: A side is no multiple of 32, or a batch is empty.
        DatasetError: The split is empty.
    """

    split: Split
    size: Size
    batch_size: int = field(kw_only=True)
    seed: int = field(kw_only=True)
    augmentation: Augmentation = field(default=DEFAULT_AUGMENTATION, kw_only=True)
    workers: int = field(default=0, kw_only=True)
    rank: int = field(default=0, kw_only=True)
    world: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse sizes that networks cannot take."""
        _check(self.split, self.size, self.batch_size)

    def starting_at(self, number: int) -> Iterator[Batch]:
        """All batches from the `number`-th on."""
        if not self.workers:
            return map(self.batch, _numbers(number))
        return iter(DataLoader(_Numbered(self), None, sampler=_From(number), num_workers=self.workers))

    def batch(self, number: int) -> Batch:
        """The `number`-th batch of this rank."""
        crops = [self._crop(number * self.batch_size + place) for place in range(self.batch_size)]
        return _batch(crops)

    def _crop(self, number: int) -> tuple[Image, Labels]:
        """The crop with a number: each epoch goes through all images in an order of its own."""
        epoch, place = divmod(number * self.world + self.rank, len(self.split))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.split))
        rng = np.random.default_rng([self.seed, 1, epoch, place])
        return augmented(self.split[int(order[place])], self.size, self.augmentation, rng)


@dataclass(frozen=True)
class EvaluationBatches:
    """Whole images in the order of the split, fitted into one size; the last batch may be smaller.

    Attributes:
        split: Where images come from.
        size: Height and width, multiples of 32.
        batch_size: Images in a batch.
        limit: At most so many images, spread evenly over the split; None takes all.

    Raises:
        InvalidInput: A side is no multiple of 32, or a number is not positive.
        DatasetError: The split is empty.
    """

    split: Split
    size: Size
    batch_size: int = field(default=8, kw_only=True)
    limit: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse sizes that networks cannot take."""
        _check(self.split, self.size, self.batch_size)
        if self.limit is not None and self.limit < 1:
            raise InvalidInput("limit", self.limit, "at least 1 image, or none for all")

    @property
    def indices(self) -> list[int]:
        """The images that are taken."""
        return spread(len(self.split), self.limit)

    def __len__(self) -> int:
        """How many batches there are."""
        return -(-len(self.indices) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """All batches, in order."""
        indices = self.indices
        for start in range(0, len(indices), self.batch_size):
            yield _batch([fitted(self.split[index], self.size) for index in indices[start : start + self.batch_size]])


def fixed_batches(split: Split, size: Size, *, batch_size: int, count: int) -> tuple[Batch, ...]:
    """Full batches of whole images spread evenly over a split; they repeat where the split has too few."""
    _check(split, size, batch_size)
    wanted = batch_size * count
    places = np.linspace(0, len(split), wanted, endpoint=False).astype(int)
    images = [fitted(split[int(index)], size) for index in places.reshape(batch_size, count).T.ravel()]
    return tuple(_batch(images[start : start + batch_size]) for start in range(0, wanted, batch_size))


def spread(length: int, limit: int | None) -> list[int]:
    """At most `limit` of ``range(length)``, spread evenly."""
    if limit is None or limit >= length:
        return list(range(length))
    return [int(index) for index in np.linspace(0, length, limit, endpoint=False)]


def _check(split: Split, size: Size, batch_size: int) -> None:
    for name, side in zip(("height", "width"), size, strict=True):
        if side < SIDE_MULTIPLE or side % SIDE_MULTIPLE:
            raise InvalidInput(name, side, f"a multiple of {SIDE_MULTIPLE}")
    if batch_size < 1:
        raise InvalidInput("batch_size", batch_size, "at least 1")
    if not len(split):
        raise DatasetError(f"the {split.name} split holds no image")


def _batch(crops: list[tuple[Image, Labels]]) -> Batch:
    images = np.stack([normalised(image) for image, _ in crops])
    labels = np.stack([labels for _, labels in crops]).astype(np.int64)
    return Batch(torch.from_numpy(images), torch.from_numpy(labels))


def _numbers(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


@dataclass(frozen=True)
class _From:
    """The sampler of batch numbers."""

    first: int

    def __iter__(self) -> Iterator[int]:
        return _numbers(self.first)


class _Numbered(Dataset[Batch]):  # type: ignore[misc]
    """Batches by number, for the loader's processes."""

    def __init__(self, batches: TrainingBatches) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> Batch:
        return self._batches.batch(number)
