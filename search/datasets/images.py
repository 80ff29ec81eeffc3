"""Image files as arrays; the one place that decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyctas.errors import DatasetError
from search.datasets.dataset import Image, Labels

_INDEXED = ("L", "P")
"""Pillow's modes of one byte a pixel that is a number: grey, and an index into a palette."""


def read_image(path: Path) -> Image:
    """The RGB pixels (H, W, 3) of an image file; grey images and palettes are converted.

    Raises:
        DatasetError: The file cannot be read as an image.
    """
    from PIL import Image as pillow

    try:
        with pillow.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # decoders fed with damaged bytes raise errors of many kinds
        raise DatasetError(_unreadable(path, "an image", error)) from error


def read_mask(path: Path) -> Labels:
    """The numbers (H, W) that a mask file holds, whatever they mean.

    Raises:
        DatasetError: The file cannot be read, or does not hold one byte a pixel.
    """
    from PIL import Image as pillow

    try:
        with pillow.open(path) as image:
            mode, mask = image.mode, np.asarray(image)
    except Exception as error:  # as above
        raise DatasetError(_unreadable(path, "a mask", error)) from error
    if mode not in _INDEXED:
        raise DatasetError(
            f"{path}: a mask of mode {mode!r}; expected one class id of 8 bits a pixel (mode L or P). "
            "Is it a picture of the mask rather than the mask?"
        )
    return mask


def _unreadable(path: Path, what: str, error: Exception) -> str:
    return f"{path}: cannot be read as {what} ({type(error).__name__}: {error}); copy or download it again"
