"""Weights that let rare classes count in a loss."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from search.datasets.dataset import IGNORE, Split

BOUND: Final = 1.02
MOST_IMAGES: Final = 500
"""Images whose labels are counted; of a larger split they are spread evenly."""


def class_weights(split: Split, classes: int) -> npt.NDArray[np.float32]:
    """Weight of each class, ``1 / ln(1.02 + p)`` for a share p of the labelled pixels, (classes,), mean 1.

    Paszke et al., "ENet", arXiv 1606.02147. A class that does not occur weighs 0: nothing can be learned about it.
    """
    counts = np.zeros(classes, dtype=np.int64)
    for index in np.unique(np.linspace(0, len(split) - 1, min(len(split), MOST_IMAGES)).astype(int)):
        labels = split[int(index)].labels
        counts += np.bincount(labels[labels != IGNORE].ravel(), minlength=classes)[:classes]
    share = counts / max(1, counts.sum())
    weights = np.where(counts > 0, 1.0 / np.log(BOUND + share), 0.0)
    return np.asarray(weights / weights[counts > 0].mean() if counts.any() else weights, dtype=np.float32)
