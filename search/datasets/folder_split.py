"""A split whose images and masks are files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyctas.errors import DatasetError
from search.datasets.dataset import Labels, Sample
from search.datasets.images import read_image, read_mask
from search.datasets.mask_ids import MaskIds


@dataclass(frozen=True, slots=True)
class ImagePair:
    """An image, its mask, and what the mask's numbers mean."""

    name: str
    image: Path
    mask: Path
    ids: MaskIds

    def labels(self) -> Labels:
        """The mask as class ids.

        Raises:
            DatasetError: It cannot be read, or holds a number that means nothing.
        """
        return self.ids.labels(read_mask(self.mask), self.mask)

    def sample(self) -> Sample:
        """Both, read from the disk.

        Raises:
            DatasetError: A file cannot be used, or the two are of different sizes.
        """
        image, labels = read_image(self.image), self.labels()
        if image.shape[:2] != labels.shape:
            raise DatasetError(
                f"{self.image}: the image is {_size(image)} pixels, its mask {self.mask} is {_size(labels)}; "
                "an image and its mask must be of one size"
            )
        return Sample(self.name, image, labels)


@dataclass(frozen=True, slots=True)
class FolderSplit:
    """Pairs of files, decoded each time they are asked for."""

    name: str
    pairs: tuple[ImagePair, ...]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        """The sample at `index`; raises DatasetError where its files cannot be used."""
        return self.pairs[index].sample()

    def labels(self, index: int) -> Labels:
        """The labels at `index` without decoding the image."""
        return self.pairs[index].labels()


def _size(pixels: NDArray[np.uint8]) -> str:
    height, width = pixels.shape[:2]
    return f"{width} x {height}"
