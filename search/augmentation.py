"""How an image becomes a crop: scaled, cut, mirrored and recoloured for training; fitted whole for scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image as pillow

from hyctas.errors import InvalidInput
from search.datasets.dataset import IGNORE, Image, Labels, Sample

Size = tuple[int, int]
"""Height and width."""
MEAN: Final = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION: Final = np.array([0.229, 0.224, 0.225], dtype=np.float32)
"""Mean and standard deviation of ImageNet's channels (red, green, blue), on a scale of 0 to 1."""
PADDING: Final = tuple(int(value) for value in np.round(255 * MEAN))
"""The colour of what lies beside an image: it becomes nearly 0."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much training crops vary.

    Attributes:
        scales: Smallest and largest size of the image, relative to where it just fits into the crop.
        mirror: Share of crops that are mirrored.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.

    Raises:
        InvalidInput: A value is outside its range.
    """

    scales: tuple[float, float] = (0.75, 2.0)
    mirror: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is no variation."""
        low, high = self.scales
        if not 0 < low <= high:
            raise InvalidInput("scales", self.scales, "two positive numbers, the smaller first")
        for name in ("mirror", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(name, getattr(self, name), "0 to 1")


def augmented(sample: Sample, size: Size, augmentation: Augmentation, rng: np.random.Generator) -> tuple[Image, Labels]:
    """A random crop of `size`: image (h, w, 3) and labels (h, w); what lies beside the image is ignored."""
    low, high = augmentation.scales
    factor = fitting(sample, size) * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    image, labels = scaled(sample, factor)
    top, left = (_offset(rng, have, want) for have, want in zip(labels.shape, size, strict=True))
    image, labels = placed(image, labels, size, top, left)
    if rng.random() < augmentation.mirror:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return _recoloured(image, augmentation, rng), labels


def fitted(sample: Sample, size: Size) -> tuple[Image, Labels]:
    """The whole image, as large as fits into `size` with its proportions, in the middle of it."""
    image, labels = scaled(sample, fitting(sample, size))
    top, left = ((have - want) // 2 for have, want in zip(labels.shape, size, strict=True))
    return placed(image, labels, size, top, left)


def normalised(image: Image) -> npt.NDArray[np.float32]:
    """Pixels (h, w, 3) as the networks take them, (3, h, w)."""
    values = (image.astype(np.float32) / np.float32(255.0) - MEAN) / DEVIATION
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def fitting(sample: Sample, size: Size) -> float:
    """By how much to scale an image so that it just fits into `size`."""
    return min(want / have for want, have in zip(size, sample.labels.shape, strict=True))


def scaled(sample: Sample, factor: float) -> tuple[Image, Labels]:
    """Image (bilinear, smoothed when it shrinks) and labels (nearest) at `factor` times their size."""
    height, width = (max(1, round(factor * side)) for side in sample.labels.shape)
    if (height, width) == sample.labels.shape:
        return sample.image, sample.labels
    image = pillow.fromarray(sample.image).resize((width, height), pillow.Resampling.BILINEAR)
    labels = pillow.fromarray(sample.labels).resize((width, height), pillow.Resampling.NEAREST)
    return np.asarray(image), np.asarray(labels)


def placed(image: Image, labels: Labels, size: Size, top: int, left: int) -> tuple[Image, Labels]:
    """The window of `size` whose corner is at (top, left) of the image; negative corners lie beside it."""
    height, width = size
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = PADDING
    marks = np.full(size, IGNORE, dtype=np.uint8)
    rows, into_rows = _overlap(top, height, labels.shape[0])
    columns, into_columns = _overlap(left, width, labels.shape[1])
    canvas[into_rows, into_columns] = image[rows, columns]
    marks[into_rows, into_columns] = labels[rows, columns]
    return canvas, marks


def _overlap(start: int, length: int, have: int) -> tuple[slice, slice]:
    """Where a window and an image overlap along one side, seen from the image and from the window."""
    first, last = max(0, start), min(have, start + length)
    return slice(first, last), slice(first - start, last - start)


def _offset(rng: np.random.Generator, have: int, want: int) -> int:
    """Where a window begins: anywhere inside the image, or so that all of a smaller image is in it."""
    low, high = sorted((0, have - want))
    return int(rng.integers(low, high, endpoint=True))


def _recoloured(image: Image, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """Brightness, contrast and saturation changed, each by its own factor."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (1.0 + rng.uniform(-s, s) if s else 1.0 for s in strengths)
    values = image.astype(np.float32) * np.float32(brightness)
    mean = values.mean()
    values = (values - mean) * np.float32(contrast) + mean
    grey = values @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    values = (values - grey[..., None]) * np.float32(saturation) + grey[..., None]
    return np.clip(values, 0, 255).astype(np.uint8)
