from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from hyctas.errors import DatasetError
from search.class_weights import class_weights, label_counts
from search.datasets.dataset import IGNORE, Sample
from search.datasets.synthetic import open_synthetic


class Masks:
    """A split of masks of any sizes."""

    name = "training"

    def __init__(self, masks: Sequence[Sequence[Sequence[int]]]) -> None:
        self.masks = [np.array(mask, np.uint8) for mask in masks]

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Sample:
        mask = self.masks[index]
        return Sample(str(index), np.zeros((*mask.shape, 3), np.uint8), mask)


SPLIT = Masks([[[0, 0, 0, 1]], [[0, 0, IGNORE], [3, 0, 0]]])
"""Of 9 labelled pixels 7, 1, 0 and 1 are of the four classes."""


def test_weights_follow_the_formula_and_absent_classes_weigh_nothing() -> None:
    """Worked out by hand."""
    plain = [1 / math.log(1.02 + 7 / 9), 1 / math.log(1.02 + 1 / 9), 0.0, 1 / math.log(1.02 + 1 / 9)]
    weights = class_weights(SPLIT, 4)
    np.testing.assert_allclose(weights, np.array(plain) / (sum(plain) / 3), rtol=1e-6)
    assert weights.dtype == np.float32


def test_counts_leave_out_what_is_ignored() -> None:
    np.testing.assert_array_equal(label_counts(SPLIT, 4), [7, 1, 0, 1])


def test_rarer_classes_weigh_more_within_bounds() -> None:
    training = open_synthetic("synthetic:1:12+1:32x64").training
    weights, counts = class_weights(training, 8), label_counts(training, 8)
    assert counts.sum() == 12 * 32 * 64
    assert (np.diff(weights[np.argsort(counts)]) <= 0).all()
    assert weights.max() / weights.min() < math.log(2.02) / math.log(1.02)
    assert weights.mean() == pytest.approx(1.0, rel=1e-5)


def test_only_class_weighs_one() -> None:
    np.testing.assert_allclose(class_weights(Masks([[[1, 1]]]), 3), [0, 1, 0])


def test_nothing_labelled_is_refused() -> None:
    for split in (Masks([[[IGNORE]]]), Masks([])):
        with pytest.raises(DatasetError, match="no pixel of the training images is labelled"):
            class_weights(split, 2)


def test_class_out_of_range_is_refused() -> None:
    with pytest.raises(DatasetError, match="the training images hold class 3; there are 3 classes"):
        class_weights(SPLIT, 3)
