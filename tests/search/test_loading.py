from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from hyctas.errors import DatasetError
from search.datasets.cache import CachedSplit
from search.datasets.synthetic import open_synthetic
from search.loading import loaded

SPLIT = CachedSplit(open_synthetic("synthetic:0:4+1:16x16").training, 1000)


@dataclass(frozen=True)
class Squares:
    broken: int = -1

    def __call__(self, number: int) -> int:
        if number == self.broken:
            raise DatasetError(f"number {number}")
        return number * number


def budget(number: int) -> int:
    return SPLIT.budget_bytes


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_values_come_in_order_from_where_one_starts(workers: int) -> None:
    values = loaded(Squares(), start=3, workers=workers, split=SPLIT)
    assert list(itertools.islice(values, 7)) == [9, 16, 25, 36, 49, 64, 81]


@pytest.mark.parametrize("workers", [0, 2])
def test_values_before_an_error_arrive(workers: int) -> None:
    values = loaded(Squares(broken=2), start=0, workers=workers, split=SPLIT)
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(DatasetError, match=r"^number 2$"):
        next(values)


def test_processes_share_the_memory_for_images() -> None:
    assert list(itertools.islice(loaded(budget, start=0, workers=2, split=SPLIT), 4)) == [500] * 4
    assert SPLIT.budget_bytes == 1000
