from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import InvalidInput
from search.datasets.dataset import IGNORE, Sample
from search.normalisation import MEAN_COLOUR, colours, normalised
from search.resampling import Placement, Span, View, canvas, check_size, fitting_scale, resampled, whole


def noise(height: int, width: int, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Sample("noise", image, rng.integers(0, 11, (height, width), dtype=np.uint8))


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([(32, 32), (32, 96), (96, 64)]))
def test_whole_image_fills_one_side_and_keeps_its_aspect(height: int, width: int, size: tuple[int, int]) -> None:
    sample = Sample("plain", np.full((height, width, 3), 200, np.uint8), np.zeros((height, width), np.uint8))
    inside = whole(sample, size).labels != IGNORE
    rows, columns = int(inside.any(1).sum()), int(inside.any(0).sum())
    assert inside.sum() == rows * columns
    assert rows == size[0] or columns == size[1]
    scale = fitting_scale(sample, size)
    assert abs(rows - scale * height) <= max(0.5, 1 - scale * height)
    assert abs(columns - scale * width) <= max(0.5, 1 - scale * width)


def test_image_of_the_right_size_is_not_changed() -> None:
    sample = noise(32, 64)
    view = whole(sample, (32, 64))
    np.testing.assert_array_equal(view.labels, sample.labels)
    np.testing.assert_array_equal(colours(view.image), sample.image)


def test_padding_lies_evenly_on_both_sides() -> None:
    view = whole(noise(32, 32), (32, 96))
    assert (view.labels[:, :32] == IGNORE).all()
    assert (view.labels[:, 64:] == IGNORE).all()
    assert (view.labels[:, 32:64] != IGNORE).all()


def test_shrinking_averages_colours_and_picks_labels() -> None:
    """A fine chequerboard becomes grey, its labels stay one of the two."""
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.uint8)
    view = whole(Sample("board", np.repeat(255 * board[:, :, None], 3, 2), board), (32, 32))
    assert np.abs(colours(view.image)[2:-2, 2:-2].astype(int) - 128).max() <= 3
    assert set(np.unique(view.labels)) <= {0, 1}


def test_a_part_goes_where_it_is_placed() -> None:
    sample = noise(40, 50)
    placement = Placement(Span(10, 20, 3, 13), Span(5, 35, 1, 31))
    view = canvas(*resampled(sample, placement), placement, (32, 32))
    np.testing.assert_array_equal(view.labels[3:13, 1:31], sample.labels[10:20, 5:35])
    np.testing.assert_array_equal(colours(view.image)[3:13, 1:31], sample.image[10:20, 5:35])
    assert (view.labels == IGNORE).sum() == 32 * 32 - 10 * 30


def test_mirrored_twice_is_the_same() -> None:
    view = whole(noise(32, 64), (32, 64))
    assert not np.array_equal(view.mirrored().labels, view.labels)
    np.testing.assert_array_equal(view.mirrored().mirrored().image, view.image)


@given(st.integers(0, 2**32 - 1))
def test_colours_undo_normalised(seed: int) -> None:
    image = noise(4, 5, seed).image
    values = normalised(image)
    assert (values.shape, values.dtype) == ((3, 4, 5), np.float32)
    np.testing.assert_array_equal(colours(values), image)


def test_mean_colour_is_nearly_0_and_spread_nearly_1() -> None:
    assert np.abs(normalised(np.full((1, 1, 3), MEAN_COLOUR, np.uint8))).max() < 0.01
    np.testing.assert_allclose(colours(np.zeros((3, 1, 1), np.float32))[0, 0], MEAN_COLOUR)
    one = normalised(np.full((1, 1, 3), 255, np.uint8))[:, 0, 0]
    np.testing.assert_allclose(one, [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-5)


def test_view_shares_no_memory_with_the_sample() -> None:
    sample = noise(32, 64)
    view = whole(sample, (32, 64))
    assert isinstance(view, View)
    assert not np.shares_memory(view.labels, sample.labels)


@pytest.mark.parametrize(("size", "side"), [((0, 32), "height"), ((32, 31), "width"), ((-64, 32), "height")])
def test_sizes_in_between_are_refused(size: tuple[int, int], side: str) -> None:
    with pytest.raises(InvalidInput, match=f"{side}: .* a positive multiple of 32 pixels"):
        check_size(size)
    check_size((32, 2048))
