"""A data set for segmentation: classes, and images with a class for each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

IGNORE: Final = 255
"""Label of pixels that belong to no class; they count neither in a loss nor in a score."""

Image = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ClassLabel:
    """A class and the RGB colour that it is drawn in; its id is its position in the data set."""

    name: str
    colour: Colour


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image with its labels.

    Args:
        name: Unique in its split.
        image: RGB, uint8, (H, W, 3).
        labels: Class ids or `IGNORE`, uint8, (H, W).
    """

    name: str
    image: Image
    labels: Labels

    @property
    def size_bytes(self) -> int:
        """Memory that the image and its labels take."""
        return self.image.nbytes + self.labels.nbytes


class Split(Protocol):
    """A fixed sequence of samples, read when they are asked for."""

    @property
    def name(self) -> str:
        """``training`` or ``validation``."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """The sample at `index`.

        Raises:
            IndexError: There is none.
            DatasetError: Its files cannot be used.
        """
        ...


@runtime_checkable
class LabelSource(Protocol):
    """A split that can read labels without their images."""

    def labels(self, index: int) -> Labels:
        """The labels of the sample at `index`."""
        ...


def labels_at(split: Split, index: int) -> Labels:
    """The labels of the sample at `index`, without reading its image where that can be avoided."""
    return split.labels(index) if isinstance(split, LabelSource) else split[index].labels


@dataclass(frozen=True, slots=True)
class Dataset:
    """Classes, images to learn from and images to score on.

    Attributes:
        name: What kind of data set it is.
        classes: In the order of their ids.
        training: Images to learn from.
        validation: Images to score on.
        digest: SHA-256 (hexadecimal) that equal data sets share on any machine.
    """

    name: str
    classes: tuple[ClassLabel, ...]
    training: Split
    validation: Split
    digest: str
