"""How pixels become numbers that networks read; stated once for training, scoring and export."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.datasets.dataset import Colour, Image

MEAN: Final = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, of a range from 0 to 1; the convention of published segmenters."""
DEVIATION: Final = (0.229, 0.224, 0.225)
"""Standard deviation of the same."""
MEAN_COLOUR: Final[Colour] = (124, 116, 104)
"""`MEAN` as a colour: what lies outside of an image. Normalised it is 0."""

_SCALE: Final[NDArray[np.float32]] = (1 / (255 * np.array(DEVIATION))).astype(np.float32)[:, None, None]
_SHIFT: Final[NDArray[np.float32]] = (np.array(MEAN) / np.array(DEVIATION)).astype(np.float32)[:, None, None]


def normalised(image: Image | NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels (H, W, 3) from 0 to 255 as (3, H, W), about 0 with a spread of about 1."""
    values: NDArray[np.float32] = image.transpose(2, 0, 1) * _SCALE
    values -= _SHIFT
    return values


def colours(values: NDArray[np.float32]) -> Image:
    """Normalised values (3, H, W) as the pixels (H, W, 3) that they came from."""
    pixels: Image = np.clip(np.rint((values + _SHIFT) / _SCALE), 0, 255).astype(np.uint8)
    return pixels.transpose(1, 2, 0)
