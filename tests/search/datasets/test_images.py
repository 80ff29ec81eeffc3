"""Decoding: forms of pixels, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyctas.errors import DatasetError
from search.datasets.images import read_image, read_mask

PIXELS = np.random.default_rng(0).integers(0, 11, (12, 16), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_any_mode_become_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    Image.fromarray(20 * PIXELS).convert(mode).save(path)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((12, 16, 3), np.uint8)
    assert image.max() > image.min()


def test_palette_of_a_mask_does_not_change_its_numbers(tmp_path: Path) -> None:
    mask = Image.fromarray(PIXELS).convert("P")
    mask.putpalette(np.random.default_rng(1).integers(0, 256, 768).tolist())
    mask.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), PIXELS)


def test_picture_of_a_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(DatasetError, match=r"mask\.png: a mask of mode 'RGB'.*picture of the mask"):
        read_mask(tmp_path / "mask.png")


def test_mask_of_16_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "mask.png")
    with pytest.raises(DatasetError, match="expected one class id of 8 bits"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused_by_name(read: object, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    assert callable(read)
    with pytest.raises(DatasetError, match=r"broken\.png: cannot be read as a"):
        read(path)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.png: cannot be read as an image \(FileNotFoundError"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_damaged_bytes_are_an_error_or_an_image_but_nothing_else(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"image.{ending}"
    Image.fromarray(np.repeat(20 * PIXELS[:, :, None], 3, 2)).save(path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(2), 0
    for trial in range(150):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if trial % 2 else whole)
        for place in rng.integers(len(damaged), size=3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_image(path).shape[2] == 3
        except DatasetError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 50
