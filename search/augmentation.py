"""Random changes to training images, so that a network sees no image twice: scale, crop, mirror image and colour.

Scales count from the size at which an image just fits into the crop, which is how images are scored: whatever the
resolution of the data set, training is spread about what scoring shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hyctas.errors import InvalidInput
from search.datasets.dataset import Image, Sample
from search.resampling import Placement, Size, Span, View, canvas, fitting_scale, resampled

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""Grey of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly training images are changed.

    Attributes:
        scales: Smallest and largest scale, as multiples of the one at which the image just fits.
        mirror: Share of mirrored images.
        brightness: Colours are multiplied by up to this more or less than 1.
        contrast: So are their differences from the mean grey of the image.
        saturation: So are their differences from the grey of the pixel.

    Raises:
        InvalidInput: A value is out of range.
    """

    scales: tuple[float, float] = (0.5, 2.0)
    mirror: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is no augmentation."""
        smallest, largest = self.scales
        if not 0 < smallest <= largest < np.inf:
            raise InvalidInput("augmentation.scales", self.scales, "two positive numbers, the smaller first")
        for name in ("mirror", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"augmentation.{name}", getattr(self, name), "0 to 1")


def augmented(sample: Sample, size: Size, augmentation: Augmentation, rng: np.random.Generator) -> View:
    """A random view of `sample` on a canvas of `size`."""
    placement = _placement(sample, size, augmentation, rng)
    pixels, labels = resampled(sample, placement)
    view = canvas(jittered(pixels, augmentation, rng), labels, placement, size)
    return view.mirrored() if rng.random() < augmentation.mirror else view


def jittered(pixels: Image, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """`pixels` (H, W, 3) in another light, 0 to 255: brightness first, then contrast, then saturation."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (np.float32(rng.uniform(1 - most, 1 + most)) for most in strengths)
    colours = pixels * brightness
    grey = colours @ _LUMA
    # Contrast about the mean and saturation about the pixel's grey are both linear, so one pass does the two.
    offset = grey * (contrast * (1 - saturation)) + grey.mean() * (1 - contrast)
    colours *= contrast * saturation
    colours += offset[:, :, None]
    return np.clip(colours, 0, 255, out=colours)


def _placement(sample: Sample, size: Size, augmentation: Augmentation, rng: np.random.Generator) -> Placement:
    """A random scale, even in its logarithm, and a random place."""
    scale = fitting_scale(sample, size) * float(np.exp(rng.uniform(*np.log(augmentation.scales))))
    height, width = sample.labels.shape
    return Placement(_placed(height, scale, size[0], rng.random()), _placed(width, scale, size[1], rng.random()))


def _placed(length: int, scale: float, pixels: int, share: float) -> Span:
    """A side longer than the canvas is cropped and a shorter one moved, both by `share` of the difference."""
    scaled = length * scale
    if scaled <= pixels:
        covered = max(1, round(scaled))
        start = int(share * (pixels - covered + 1))
        return Span(0, length, start, start + covered)
    first = share * (scaled - pixels) / scale
    return Span(first, min(length, first + pixels / scale), 0, pixels)
