from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest

from search.datasets.cache import CachedSplit
from search.datasets.dataset import Labels, Sample, labels_at

SAMPLE_BYTES = 4 * 6 * 8


@dataclass
class CountingSplit:
    """Counts how often each sample is read."""

    name: str = "training"
    reads: Counter[int] = field(default_factory=Counter)
    label_reads: Counter[int] = field(default_factory=Counter)

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Sample:
        self.reads[index] += 1
        return Sample(str(index), np.full((6, 8, 3), index, np.uint8), self._labels(index))

    def labels(self, index: int) -> Labels:
        self.label_reads[index] += 1
        return self._labels(index)

    def _labels(self, index: int) -> Labels:
        return np.full((6, 8), index, np.uint8)


def test_samples_are_read_once_while_they_fit() -> None:
    split = CountingSplit()
    cached = CachedSplit(split, 3 * SAMPLE_BYTES)
    for _ in range(2):
        assert [cached[index].name for index in range(5)] == list("01234")
    assert split.reads == {0: 1, 1: 1, 2: 1, 3: 2, 4: 2}
    assert cached.kept == 3


def test_cache_passes_on_name_and_length() -> None:
    cached = CachedSplit(CountingSplit())
    assert (cached.name, len(cached)) == ("training", 5)


def test_no_budget_keeps_nothing() -> None:
    cached = CachedSplit(CountingSplit(), 0)
    assert cached[1].labels[0, 0] == 1
    assert cached.kept == 0


def test_labels_alone_do_not_read_images() -> None:
    split = CountingSplit()
    cached = CachedSplit(split)
    assert labels_at(cached, 2)[0, 0] == 2
    assert (split.reads, split.label_reads) == ({}, {2: 1})
    image = cached[2]
    assert labels_at(cached, 2) is image.labels


def test_labels_of_a_split_that_only_has_samples_are_those_of_the_sample() -> None:
    samples = [CountingSplit()[index] for index in range(3)]

    class Listed:
        name = "listed"

        def __len__(self) -> int:
            return len(samples)

        def __getitem__(self, index: int) -> Sample:
            return samples[index]

    assert labels_at(Listed(), 1) is samples[1].labels


def test_pickled_cache_is_empty_and_keeps_its_budget() -> None:
    cached = CachedSplit(CountingSplit(), 7 * SAMPLE_BYTES)
    full = len(pickle.dumps(cached))
    cached[0]
    copy = pickle.loads(pickle.dumps(cached))
    assert (copy.kept, copy.budget_bytes) == (0, 7 * SAMPLE_BYTES)
    assert len(pickle.dumps(cached)) < full + SAMPLE_BYTES


def test_error_of_an_index_outside_is_passed_on() -> None:
    with pytest.raises(IndexError):
        CachedSplit([])[0]  # type: ignore[arg-type]
