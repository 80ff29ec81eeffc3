from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import DatasetError
from search.datasets.mask_ids import MaskIds, ranges

FILE = Path("mask.png")


@given(st.permutations(range(256)), st.integers(1, 200), st.integers(0, 56), st.integers(0, 2**32 - 1))
def test_numbers_become_classes_and_ignore(order: list[int], classes: int, ignored: int, seed: int) -> None:
    numbers, left_out = tuple(order[:classes]), frozenset(order[classes : classes + ignored])
    mask = np.random.default_rng(seed).choice([*numbers, *left_out], (5, 7)).astype(np.uint8)
    labels = MaskIds(numbers, left_out).labels(mask, FILE)
    assert labels.dtype == np.uint8
    for number, label in zip(mask.ravel().tolist(), labels.ravel().tolist(), strict=True):
        assert label == (255 if number in left_out else numbers.index(number))


def test_unknown_numbers_are_all_named() -> None:
    ids = MaskIds((1, 2, 3), frozenset({0, 9}))
    with pytest.raises(DatasetError, match=r"mask\.png: class id 4, 7 to 8, 255 on 5 pixels; allowed are 0 to 3, 9"):
        ids.labels(np.array([[4, 7, 8, 255, 255, 0, 1, 9]], np.uint8), FILE)


@pytest.mark.parametrize(
    ("numbers", "words"), [([], ""), ([3], "3"), ([0, 1, 2], "0 to 2"), ([0, 2, 3, 9], "0, 2 to 3, 9")]
)
def test_ranges(numbers: list[int], words: str) -> None:
    assert ranges(numbers) == words
