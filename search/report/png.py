"""PNG images inside a page: RGB, or class numbers with a palette."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hyctas.errors import InvalidInput

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, INDEXED = 2, 3


def rgb_png(image: Pixels) -> bytes:
    """A PNG file of an image (H, W, 3).

    Raises:
        InvalidInput: It has another shape, or no pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InvalidInput("image", image.shape, "(H, W, 3) with at least one pixel")
    return _png(image.reshape(len(image), -1), image.shape[1], RGB, b"")


def indexed_png(indices: Pixels, palette: Sequence[Colour]) -> bytes:
    """A PNG file of indices (H, W) into a palette of at most 256 colours.

    Raises:
        InvalidInput: The indices have another shape, or one has no colour.
    """
    if indices.ndim != 2 or not indices.size:
        raise InvalidInput("indices", indices.shape, "(H, W) with at least one pixel")
    if not int(indices.max()) < len(palette) <= 256:
        raise InvalidInput("palette", f"{len(palette)} colours", f"{int(indices.max()) + 1} to 256")
    table = bytes(channel for colour in palette for channel in colour)
    return _png(indices, indices.shape[1], INDEXED, _chunk(b"PLTE", table))


def data_url(png: bytes) -> str:
    """The file as an address that holds it whole."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def shrunk(image: Pixels, factor: int) -> Pixels:
    """An image (H, W, 3) `factor` times smaller, each pixel the mean of a square; what is left over is cut off."""
    height, width = (side // factor for side in image.shape[:2])
    squares = image[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    return np.asarray(squares.mean(axis=(1, 3)).round(), dtype=np.uint8)


def _png(rows: Pixels, width: int, colour_type: int, palette: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), 8, colour_type, 0, 0, 0)
    unfiltered = np.zeros((len(rows), 1), dtype=np.uint8)
    body = zlib.compress(np.concatenate([unfiltered, rows], axis=1).tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", header) + palette + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
