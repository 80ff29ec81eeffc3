from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import DatasetError
from search.datasets.dataset import IGNORE
from search.miou import Confusion


def test_iou_is_worked_out_by_hand() -> None:
    """Class 0: 2 of 3 in the union; class 1: 1 of 3; class 2: 0 of 1; class 3 does not occur."""
    confusion = Confusion(4)
    confusion.add(np.array([[0, 0, 1, 1, IGNORE]]), np.array([[0, 0, 1, 0, 3]]))
    confusion.add(np.array([IGNORE, 1]), np.array([0, 2]))
    np.testing.assert_allclose(confusion.iou, [2 / 3, 1 / 3, 0, np.nan])
    assert confusion.miou == pytest.approx(1 / 3)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_confusion_agrees_with_sets_of_pixels(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, guess = rng.integers(0, classes, (2, 60))
    labels[rng.random(60) < 0.3] = IGNORE
    labels[0] = 0
    confusion = Confusion(classes)
    for part in np.array_split(np.arange(60), 4):
        confusion.add(labels[part].astype(np.uint8), guess[part])
    expected = []
    for label in range(classes):
        true = {place for place in range(60) if labels[place] == label}
        said = {place for place in range(60) if guess[place] == label and labels[place] != IGNORE}
        expected.append(len(true & said) / len(true | said) if true | said else math.nan)
    np.testing.assert_allclose(confusion.iou, expected)
    assert confusion.miou == pytest.approx(np.nanmean(expected))


def test_perfect_prediction_scores_one() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([0, 1, 2, IGNORE]), np.array([0, 1, 2, 1]))
    assert confusion.miou == 1.0


def test_tensors_of_any_integer_type_are_taken() -> None:
    one, other = Confusion(3), Confusion(3)
    labels, guess = np.array([[0, 1, IGNORE], [2, 2, 1]]), np.array([[0, 2, 0], [2, 1, 1]])
    one.add(labels, guess)
    other.add(torch.from_numpy(labels), torch.from_numpy(guess.astype(np.uint8)))
    np.testing.assert_array_equal(one.counts, other.counts)
    assert one.counts.sum() == 5


@pytest.mark.parametrize("wrong", [-1, 3, 255, 1000])
def test_predicted_class_out_of_range_is_an_error(wrong: int) -> None:
    confusion = Confusion(3)
    with pytest.raises(DatasetError, match=f"predicted class {wrong} is not one of the 3 classes"):
        confusion.add(np.array([0, 1]), np.array([0, wrong]))
    assert not confusion.counts.any()


@pytest.mark.parametrize("wrong", [-1, 3, 254])
def test_label_out_of_range_is_an_error(wrong: int) -> None:
    with pytest.raises(DatasetError, match=f"label {wrong} is not one of the 3 classes"):
        Confusion(3).add(np.array([0, wrong]), np.array([0, 1]))


def test_what_is_predicted_on_ignored_pixels_does_not_matter() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([0, IGNORE]), np.array([0, 99]))
    assert confusion.counts.sum() == 1


def test_shapes_must_agree() -> None:
    with pytest.raises(DatasetError, match=r"labels of shape \(2,\) do not fit predictions of shape \(3,\)"):
        Confusion(3).add(np.zeros(2, int), np.zeros(3, int))


def test_nothing_labelled_has_no_miou() -> None:
    confusion = Confusion(3)
    confusion.add(np.full(4, IGNORE), np.zeros(4, int))
    assert np.isnan(confusion.iou).all()
    with pytest.raises(DatasetError, match="no pixel of the validation images is labelled"):
        _ = confusion.miou
