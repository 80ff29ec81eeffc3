"""Batches: what a step holds depends on seed, step and rank alone; scoring sees whole images."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from hyctas.errors import DatasetError, InvalidInput, SearchError
from search.augmentation import Augmentation
from search.batches import Batch, EvaluationBatches, TrainingBatches, fixed_batches, spread
from search.datasets.dataset import IGNORE, Sample

SIZE = (32, 64)
PLAIN = Augmentation(scales=(1.0, 1.0), mirror=0.0, brightness=0.0, contrast=0.0, saturation=0.0)


@dataclass(frozen=True)
class NumberedSplit:
    """Images of one colour whose label is their number."""

    length: int
    sizes: tuple[tuple[int, int], ...] = ((32, 64),)
    broken: int = -1
    deadly: int = -1
    name: str = "training"

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise DatasetError("image 3.png: cannot be read")
        if index == self.deadly:
            raise SystemExit(9)
        size = self.sizes[index % len(self.sizes)]
        return Sample(str(index), np.full((*size, 3), 60 + index % 190, np.uint8), np.full(size, index % 250, np.uint8))


def numbers(batch: Batch) -> list[int]:
    """Which images a batch of a `NumberedSplit` holds."""
    return [int(labels[labels != IGNORE].min()) for labels in batch.labels]


def training(split: NumberedSplit, **changes: object) -> TrainingBatches:
    return TrainingBatches(split, SIZE, **{"batch_size": 4, "seed": 3, **changes})  # type: ignore[arg-type]


def first(batches: TrainingBatches, count: int, start: int = 0) -> list[Batch]:
    return list(itertools.islice(batches.starting_at(start), count))


def assert_equal(some: list[Batch], others: list[Batch]) -> None:
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_batch_has_the_shapes_and_types_that_networks_take() -> None:
    batch = training(NumberedSplit(5)).step(0)
    assert (batch.images.shape, batch.images.dtype) == ((4, 3, 32, 64), torch.float32)
    assert (batch.labels.shape, batch.labels.dtype) == ((4, 32, 64), torch.int64)
    assert batch.images.is_contiguous()
    assert len(batch) == 4
    assert torch.equal(batch.to("cpu").labels, batch.labels)


def test_training_goes_on_anywhere_without_state() -> None:
    batches = training(NumberedSplit(7))
    assert_equal(first(batches, 3, start=4), first(batches, 7)[4:])


def test_every_image_comes_once_an_epoch_and_in_another_order_each() -> None:
    batches = training(NumberedSplit(12), augmentation=PLAIN)
    drawn = [number for batch in first(batches, 6) for number in numbers(batch)]
    assert sorted(drawn[:12]) == sorted(drawn[12:]) == list(range(12))
    assert drawn[:12] != drawn[12:]


def test_an_image_is_changed_differently_each_time() -> None:
    batches = training(NumberedSplit(1), batch_size=6)
    images = batches.step(0).images
    assert len({image.numpy().tobytes() for image in images}) == 6


def test_ranks_share_the_images_of_a_larger_batch() -> None:
    split = NumberedSplit(10)
    whole = first(training(split, batch_size=6), 4)
    ranks = [first(training(split, batch_size=2, rank=rank, world=3), 4) for rank in range(3)]
    for step in range(4):
        together = torch.cat([ranks[rank][step].images for rank in range(3)])
        assert torch.equal(together, whole[step].images)


def test_seed_changes_everything() -> None:
    split = NumberedSplit(40)
    assert not torch.equal(training(split).step(0).images, training(split, seed=4).step(0).images)


def test_processes_prepare_the_same_batches() -> None:
    split = NumberedSplit(9, sizes=((32, 64), (50, 40)))
    assert_equal(first(training(split, workers=2), 5, start=3), first(training(split), 5, start=3))


def test_error_of_an_image_is_the_same_from_a_process() -> None:
    for workers in (0, 1):
        batches = training(NumberedSplit(4, broken=3), workers=workers)
        with pytest.raises(DatasetError) as caught:
            first(batches, 2)
        assert str(caught.value) == "image 3.png: cannot be read"


def test_process_that_dies_is_a_search_error() -> None:
    batches = training(NumberedSplit(4, deadly=2), workers=1)
    with pytest.raises(SearchError, match="a process that loads images died"):
        first(batches, 2)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"workers": -1}, "workers"),
        ({"rank": 2, "world": 2}, "rank"),
        ({"rank": -1}, "rank"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, int], path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        training(NumberedSplit(3), **changes)
    assert caught.value.path == path


@pytest.mark.parametrize("size", [(0, 64), (33, 64), (32, 48), (-32, 64)])
def test_sizes_that_networks_cannot_take_are_refused(size: tuple[int, int]) -> None:
    split = NumberedSplit(3)
    with pytest.raises(InvalidInput, match="a positive multiple of 32"):
        TrainingBatches(split, size, batch_size=1, seed=0)
    with pytest.raises(InvalidInput, match="a positive multiple of 32"):
        EvaluationBatches(split, size, batch_size=1)
    with pytest.raises(InvalidInput, match="a positive multiple of 32"):
        fixed_batches(split, size, 2, 1)


def test_empty_split_is_refused() -> None:
    with pytest.raises(DatasetError, match="there are no training images"):
        training(NumberedSplit(0))
    with pytest.raises(DatasetError, match="there are no training images"):
        EvaluationBatches(NumberedSplit(0), SIZE, batch_size=1)


def test_evaluation_takes_all_images_in_order_each_pass() -> None:
    batches = EvaluationBatches(NumberedSplit(7), SIZE, batch_size=3)
    assert [numbers(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [numbers(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(batches) == 3
    with pytest.raises(IndexError):
        batches[3]


def test_limit_spreads_images_over_the_split() -> None:
    batches = EvaluationBatches(NumberedSplit(100), SIZE, batch_size=8, limit=5)
    assert [numbers(batch) for batch in batches] == [[10, 30, 50, 70, 90]]
    assert len(EvaluationBatches(NumberedSplit(3), SIZE, batch_size=2, limit=9).indices) == 3
    with pytest.raises(InvalidInput, match="limit: 0"):
        EvaluationBatches(NumberedSplit(3), SIZE, batch_size=2, limit=0)


def test_evaluation_keeps_aspects_and_pads_with_the_mean_colour() -> None:
    """A square image in a wide canvas: 16 columns on either side are padding."""
    split = NumberedSplit(2, sizes=((90, 90), (100, 20)))
    batch = EvaluationBatches(split, SIZE, batch_size=2)[0]
    labels, images = batch.labels, batch.images
    assert (labels[0, :, 16:48] == 0).all()
    assert (labels[0, :, :16] == IGNORE).all()
    assert (labels[0, :, 48:] == IGNORE).all()
    assert (images[0, :, :, :16] == 0).all()
    assert (images[0, :, :, 16:48] != 0).all()
    assert int((labels[1] != IGNORE).sum()) == 32 * 6


def test_evaluation_prepares_each_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = EvaluationBatches(NumberedSplit(4), SIZE, batch_size=2)
    assert all(one is other for one, other in zip(batches, batches, strict=True))
    monkeypatch.setattr("search.batches.KEPT_BYTES", 20 * 4 * 32 * 64 - 1)
    batches = EvaluationBatches(NumberedSplit(4), SIZE, batch_size=2)
    assert not any(one is other for one, other in zip(batches, batches, strict=True))


def test_fixed_batches_are_spread_within_and_between() -> None:
    batches = fixed_batches(NumberedSplit(120), SIZE, 4, 3)
    assert [numbers(batch) for batch in batches] == [[5, 35, 65, 95], [15, 45, 75, 105], [25, 55, 85, 115]]


def test_fixed_batches_repeat_images_of_a_small_split() -> None:
    batches = fixed_batches(NumberedSplit(2), SIZE, 3, 2)
    assert sorted(number for batch in batches for number in numbers(batch)) == [0, 0, 0, 1, 1, 1]


def test_fixed_batches_of_one_image_are_refused() -> None:
    with pytest.raises(InvalidInput, match="batch_size: 1 is not allowed; expected at least 2"):
        fixed_batches(NumberedSplit(9), SIZE, 1, 3)


@pytest.mark.parametrize(("length", "count"), [(1, 1), (1, 5), (7, 7), (101, 16), (16, 101)])
def test_spread_is_even(length: int, count: int) -> None:
    indices = np.array(spread(length, count))
    assert len(indices) == count
    assert (np.diff(indices) >= length // count).all()
    assert (np.diff(indices) <= -(-length // count)).all()
    assert abs(indices[0] - (length - 1 - indices[-1])) <= 1
