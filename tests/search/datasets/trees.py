"""Tiny data sets on disk, in the layouts that the large ones are published in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.uint8]

SIZES = ((24, 32), (17, 40), (33, 20))
"""Heights and widths, since images of one data set differ."""


@dataclass(frozen=True)
class Tree:
    """A data set that a test writes.

    Attributes:
        name: As it is called on the command line.
        files: For a split and a number, where image and mask go.
        numbers: Numbers in masks, and the class (or 255) that each means.
    """

    name: str
    files: Callable[[str, int], tuple[str, str]]
    numbers: Mapping[int, int]

    def write(self, root: Path, *, training: int = 3, validation: int = 2) -> None:
        for split, count in (("train", training), ("val", validation)):
            for index in range(count):
                self.write_pair(root, split, index)

    def write_pair(self, root: Path, split: str, index: int) -> None:
        image, mask = self.files(split, index)
        write_image(root / image, image_of(index))
        write_mask(root / mask, self.mask_of(index))

    def mask_of(self, index: int) -> Mask:
        """All numbers of the data set in turn, over and over."""
        height, width = SIZES[index % len(SIZES)]
        numbers = np.array(sorted(self.numbers), np.uint8)
        return np.resize(np.roll(numbers, index), height * width).reshape(height, width)

    def labels_of(self, index: int) -> Mask:
        return np.vectorize(self.numbers.__getitem__, otypes=[np.uint8])(self.mask_of(index))


def image_of(index: int) -> NDArray[np.uint8]:
    height, width = SIZES[index % len(SIZES)]
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


write_mask = write_image


def _camvid(split: str, index: int) -> tuple[str, str]:
    return f"{split}/0001TP_{index:06d}.png", f"{split}annot/0001TP_{index:06d}.png"


def _cityscapes(mask_kind: str) -> Callable[[str, int], tuple[str, str]]:
    def files(split: str, index: int) -> tuple[str, str]:
        city = ("aachen", "ulm")[index % 2]
        stem = f"{split}/{city}/{city}_000000_{index:06d}"
        return f"leftImg8bit/{stem}_leftImg8bit.png", f"gtFine/{stem}_gtFine_{mask_kind}.png"

    return files


def _ade20k(split: str, index: int) -> tuple[str, str]:
    folder = {"train": "training", "val": "validation"}[split]
    return f"images/{folder}/ADE_{split}_{index:08d}.jpg", f"annotations/{folder}/ADE_{split}_{index:08d}.png"


def _coco(ending: str) -> Callable[[str, int], tuple[str, str]]:
    def files(split: str, index: int) -> tuple[str, str]:
        return f"images/{split}2017/{index:012d}.jpg", f"annotations/{split}2017/{index:012d}{ending}"

    return files


def _in_order(classes: int, ignored: int) -> dict[int, int]:
    return {**{number: number for number in range(classes)}, ignored: 255}


# Written out by hand from the tables of the data sets' authors, not taken from the loaders.
CITYSCAPES_IDS = {
    0: 255, 1: 255, 2: 255, 3: 255, 4: 255, 5: 255, 6: 255, 7: 0, 8: 1, 9: 255, 10: 255, 11: 2, 12: 3, 13: 4, 14: 255,
    15: 255, 16: 255, 17: 5, 18: 255, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    29: 255, 30: 255, 31: 16, 32: 17, 33: 18,
}  # fmt: skip
COCO_UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
COCO_IDS = {number: number - sum(unused < number for unused in COCO_UNUSED) for number in range(182)}
COCO_IDS.update(dict.fromkeys((*COCO_UNUSED, 255), 255))

CAMVID_TREE = Tree("camvid", _camvid, _in_order(11, 11))
TREES = {
    "camvid": CAMVID_TREE,
    "cityscapes": Tree("cityscapes", _cityscapes("labelIds"), CITYSCAPES_IDS),
    "cityscapes-train-ids": Tree("cityscapes", _cityscapes("labelTrainIds"), _in_order(19, 255)),
    "ade20k": Tree("ade20k", _ade20k, {0: 255, **{number: number - 1 for number in range(1, 151)}}),
    "coco-stuff": Tree("coco-stuff", _coco(".png"), COCO_IDS),
    "coco-stuff-train-ids": Tree("coco-stuff", _coco("_labelTrainIds.png"), _in_order(171, 255)),
}
