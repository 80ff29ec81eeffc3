"""A rectangle of an image, scaled and placed on a canvas, and its labels likewise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hyctas.errors import InvalidInput
from search.datasets.dataset import IGNORE, Image, Labels, Sample
from search.normalisation import normalised

SIZE_STEP: Final = 32
"""Networks halve an image five times, so sizes are multiples of this."""

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Span:
    """Along one side: which part of the image (real numbers) goes to which pixels of the canvas.

    Attributes:
        source_start: Where the part starts, in pixels of the image.
        source_stop: Where it ends.
        start: First pixel of the canvas that it covers.
        stop: Pixel after the last.
    """

    source_start: float
    source_stop: float
    start: int
    stop: int

    @property
    def pixels(self) -> int:
        """Pixels of the canvas that are covered."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Placement:
    """A rectangle of an image and the rectangle of the canvas that shows it."""

    rows: Span
    columns: Span

    @property
    def covered(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that are covered."""
        return slice(self.rows.start, self.rows.stop), slice(self.columns.start, self.columns.stop)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a network sees of a sample.

    Attributes:
        image: Normalised colours, float32, (3, h, w); 0, which is the mean colour, outside of the image.
        labels: Class ids, uint8, (h, w); `IGNORE` outside of the image.
    """

    image: NDArray[np.float32]
    labels: Labels

    def mirrored(self) -> View:
        """Left and right swapped."""
        return View(self.image[:, :, ::-1], self.labels[:, ::-1])


def whole(sample: Sample, size: Size) -> View:
    """All of `sample` on a canvas of `size`, as large as fits, its aspect kept, in the middle."""
    scale = fitting_scale(sample, size)
    height, width = sample.labels.shape
    placement = Placement(_centred(height, scale, size[0]), _centred(width, scale, size[1]))
    return canvas(*resampled(sample, placement), placement, size)


def fitting_scale(sample: Sample, size: Size) -> float:
    """Pixels of a canvas of `size` for each pixel of an image that just fits into it."""
    height, width = map(int, sample.labels.shape)
    return min(size[0] / height, size[1] / width)


def resampled(sample: Sample, placement: Placement) -> tuple[Image, Labels]:
    """The pixels of the covered rectangle: colours bilinear, labels the nearest.

    Where the image shrinks, the bilinear filter widens, so that no pixel of it is passed over.
    """
    from PIL import Image as pillow

    rows, columns = placement.rows, placement.columns
    box = (columns.source_start, rows.source_start, columns.source_stop, rows.source_stop)
    size = (columns.pixels, rows.pixels)
    image = pillow.fromarray(sample.image).resize(size, pillow.Resampling.BILINEAR, box=box)
    labels = pillow.fromarray(sample.labels).resize(size, pillow.Resampling.NEAREST, box=box)
    return np.asarray(image), np.asarray(labels)


def canvas(pixels: Image | NDArray[np.float32], labels: Labels, placement: Placement, size: Size) -> View:
    """Pixels from 0 to 255 and their labels at their place on a canvas of `size`."""
    view = View(np.zeros((3, *size), np.float32), np.full(size, IGNORE, np.uint8))
    rows, columns = placement.covered
    view.image[:, rows, columns] = normalised(pixels)
    view.labels[rows, columns] = labels
    return view


def check_size(size: Size) -> None:
    """Refuse sizes that networks cannot take.

    Raises:
        InvalidInput: A side is not a positive multiple of `SIZE_STEP`.
    """
    for side, value in zip(("height", "width"), size, strict=True):
        if value <= 0 or value % SIZE_STEP:
            raise InvalidInput(side, value, f"a positive multiple of {SIZE_STEP} pixels")


def _centred(length: int, scale: float, canvas: int) -> Span:
    pixels = min(canvas, max(1, round(length * scale)))
    start = (canvas - pixels) // 2
    return Span(0, length, start, start + pixels)
