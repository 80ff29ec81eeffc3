"""A data set and a supernet that are small enough to evaluate in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.datasets.dataset import IGNORE, ClassLabel, Dataset, Sample
from search.supernet.supernet import Supernet

SIZE = (32, 64)
CLASSES = 3
SPACE = SearchSpace(depth=4, min_cells=3)
NETWORKS = ArchitectureDefaults(height=SIZE[0], width=SIZE[1], base_channels=2, classes=CLASSES)


@dataclass(frozen=True)
class Squares:
    """Images of one coloured square on a darker ground; colour and position follow from the index."""

    name: str
    length: int
    first: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.length:
            raise IndexError(index)
        rng = np.random.default_rng(self.first + index)
        kind, top, left = rng.integers(1, CLASSES), rng.integers(0, 16), rng.integers(0, 48)
        image = rng.integers(0, 60, (*SIZE, 3), dtype=np.uint8)
        labels = np.zeros(SIZE, np.uint8)
        image[top : top + 16, left : left + 16, kind] += np.uint8(160)
        labels[top : top + 16, left : left + 16] = kind
        labels[:1] = IGNORE
        return Sample(f"{self.name}-{index}", image, labels)


def squares(training: int = 24, validation: int = 7) -> Dataset:
    """A data set that a tiny network learns in a few steps."""
    classes = tuple(ClassLabel(f"class {number}", (80 * number, 0, 0)) for number in range(CLASSES))
    return Dataset("squares", classes, Squares("training", training, 0), Squares("validation", validation, 1000), "0")


def awake_supernet(*, seed: int = 0) -> Supernet:
    """A supernet whose attention contributes, unlike at the start of training."""
    supernet = Supernet(SPACE, NETWORKS, seed)
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if name.endswith("gate"):
                parameter.fill_(0.5)
    return supernet


def networks(count: int, *, seed: int = 0) -> Sequence[Architecture]:
    """Networks of the space."""
    return sample_structured(SPACE, np.random.default_rng(seed), count, NETWORKS)
