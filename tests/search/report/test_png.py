"""PNG files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hyctas.errors import InvalidInput
from search.report.png import data_url, indexed_png, rgb_png, shrunk


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_rgb_image_comes_back(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(rgb_png(image)))), image)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_indices_come_back_as_their_colours(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = [tuple(colour) for colour in rng.integers(0, 256, (5, 3)).tolist()]
    indices = rng.integers(0, 5, (height, width), dtype=np.uint8)
    read = Image.open(io.BytesIO(indexed_png(indices, palette))).convert("RGB")
    assert np.array_equal(np.asarray(read), np.array(palette, dtype=np.uint8)[indices])


def test_shrinking_averages_squares_and_cuts_the_rest_off() -> None:
    image = np.zeros((5, 4, 3), dtype=np.uint8)
    image[:2, :2, 0] = [[10, 20], [30, 40]]
    assert shrunk(image, 2).shape == (2, 2, 3)
    assert shrunk(image, 2)[0, 0].tolist() == [25, 0, 0]
    assert np.array_equal(shrunk(image, 1), image)


def test_address_holds_the_file() -> None:
    assert data_url(b"\x89PNG").startswith("data:image/png;base64,iVBORw")


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3), (2, 2, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="at least one pixel"):
        rgb_png(np.zeros(shape, dtype=np.uint8))


def test_index_without_a_colour_is_refused() -> None:
    with pytest.raises(InvalidInput, match="3 to 256"):
        indexed_png(np.array([[2]], dtype=np.uint8), [(0, 0, 0), (1, 1, 1)])
