"""Weights that let rare classes count in a loss."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import DatasetError
from search.datasets.dataset import IGNORE, Split, labels_at

BOUND: Final = 1.02
"""Before scaling, weights lie between 1.4, of a class that fills all images, and 50.5."""


def class_weights(split: Split, classes: int) -> npt.NDArray[np.float32]:
    """Weight of each class: ``1 / ln(1.02 + p)`` for its share p of the labelled pixels, scaled to mean 1, (classes,).

    Paszke, Chaurasia, Kim, Culurciello: ENet, arXiv 1606.02147, section 5.1. A class that never occurs weighs 0 and
    does not count in the mean: nothing can be learned about it. All masks of `split` are read.

    Raises:
        DatasetError: No pixel is labelled, or a mask cannot be used.
    """
    counts = label_counts(split, classes)
    if not counts.any():
        raise DatasetError(f"no pixel of the {split.name} images is labelled, so classes cannot be weighted")
    occurs = counts > 0
    weights = np.where(occurs, 1 / np.log(BOUND + counts / counts.sum()), 0)
    return np.asarray(weights / weights[occurs].mean(), np.float32)


def label_counts(split: Split, classes: int) -> npt.NDArray[np.int64]:
    """Pixels of each class over all of `split`, (classes,); those to ignore are left out.

    Raises:
        DatasetError: A label is neither a class nor `IGNORE`, or a mask cannot be used.
    """
    counts = np.zeros(IGNORE + 1, np.int64)
    for index in range(len(split)):
        counts += np.bincount(labels_at(split, index).ravel(), minlength=len(counts))
    if counts[classes:IGNORE].any():
        wrong = classes + int(np.flatnonzero(counts[classes:IGNORE])[0])
        raise DatasetError(f"the {split.name} images hold class {wrong}; there are {classes} classes, from 0")
    return counts[:classes]
