"""Intersection over union, counted over all pixels of a set of images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hyctas.errors import DatasetError
from search.datasets.dataset import IGNORE

Counts = npt.NDArray[np.int64]


class Confusion:
    """How often each class was taken for each.

    Args:
        classes: How many there are.
    """

    def __init__(self, classes: int) -> None:
        self.counts: Counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, labels: object, predicted: object) -> None:
        """Count pixels; those labelled ``IGNORE`` are left out.

        Args:
            labels: Class ids or ``IGNORE``, of any shape; an array, or a tensor on any device.
            predicted: Class ids of the same shape, likewise.

        Raises:
            DatasetError: The shapes differ, or an id is none of a class.
        """
        truth, guess = _array(labels), _array(predicted)
        if truth.shape != guess.shape:
            raise DatasetError(f"labels of shape {truth.shape} do not fit predictions of shape {guess.shape}")
        known = truth != IGNORE
        truth, guess = truth[known].astype(np.int64), guess[known].astype(np.int64)
        classes = len(self.counts)
        for name, ids in (("label", truth), ("predicted class", guess)):
            if ids.size and not (ids.min() >= 0 and ids.max() < classes):
                wrong = ids[(ids < 0) | (ids >= classes)][0]
                raise DatasetError(f"{name} {wrong} is not one of the {classes} classes, nor {IGNORE} (ignore)")
        pairs = np.bincount(classes * truth + guess, minlength=classes * classes)
        self.counts += pairs.reshape(classes, classes)

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union of each class, (classes,); NaN where it is neither labelled nor predicted."""
        hit = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hit
        iou: npt.NDArray[np.float64] = np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)
        return iou

    @property
    def miou(self) -> float:
        """Mean over the classes that occur in the labels or in what was predicted.

        Raises:
            DatasetError: No labelled pixel was counted.
        """
        if not self.counts.sum():
            raise DatasetError("no pixel of the validation images is labelled, so there is nothing to score")
        return float(np.nanmean(self.iou))


def _array(values: object) -> npt.NDArray[np.integer]:
    """`values` as an array; tensors are fetched from their device."""
    fetch = getattr(values, "cpu", None)
    return np.asarray(values if fetch is None else fetch())
