"""Augmentation: image and labels move together, colours stay colours, randomness is the generator's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyctas.errors import InvalidInput
from search.augmentation import Augmentation, augmented, jittered
from search.datasets.dataset import IGNORE, Sample
from search.normalisation import colours
from search.resampling import View

SIZE = (64, 96)
STILL = Augmentation(scales=(1.0, 1.0), mirror=0.0, brightness=0.0, contrast=0.0, saturation=0.0)
NO_COLOUR = Augmentation(brightness=0.0, contrast=0.0, saturation=0.0)


def sample(height: int = 128, width: int = 192) -> Sample:
    """Labels are 16 x 16 squares, and the image's colours follow from them."""
    squares = (np.arange(height)[:, None] // 16 * 7 + np.arange(width) // 16 * 3) % 11
    image = np.stack([20 * squares, 250 - 20 * squares, np.full_like(squares, 90)], 2)
    return Sample("squares", image.astype(np.uint8), squares.astype(np.uint8))


def view(augmentation: Augmentation, seed: int = 0, of: Sample | None = None) -> View:
    return augmented(of or sample(), SIZE, augmentation, np.random.default_rng(seed))


def test_no_augmentation_shows_the_whole_image_at_half_size() -> None:
    shown = view(STILL)
    np.testing.assert_array_equal(shown.labels, sample().labels[1::2, 1::2])
    assert np.abs(colours(shown.image).astype(int) - sample().image[1::2, 1::2]).max() <= 60
    assert np.median(np.abs(colours(shown.image).astype(int) - sample().image[1::2, 1::2])) == 0


def slope(height: int, width: int, axis: int) -> Sample:
    """Red and the label grow together from 0 to 200 along an axis."""
    along = np.linspace(0, 200, (height, width)[axis])
    labels = np.broadcast_to(along[:, None] if axis == 0 else along, (height, width)).astype(np.uint8)
    return Sample("slope", np.stack([labels, np.full_like(labels, 90), 255 - labels], 2), labels)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(128, 192), (40, 300), (300, 40), (64, 96)]),
    st.sampled_from([0, 1]),
)
def test_colours_and_labels_stay_together(seed: int, size: tuple[int, int], axis: int) -> None:
    shown = view(NO_COLOUR, seed, slope(*size, axis))
    assert shown.image.shape == (3, *SIZE)
    assert (shown.image.dtype, shown.labels.dtype) == (np.float32, np.uint8)
    inside = shown.labels != IGNORE
    assert (shown.image[:, ~inside] == 0).all()
    steps = int(inside.any(1 - axis).sum())
    red = colours(shown.image)[:, :, 0].astype(int)
    assert np.abs(red - shown.labels)[inside].max() <= 200 / steps + 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_one_generator_state_gives_one_view(seed: int) -> None:
    one, other = view(Augmentation(), seed), view(Augmentation(), seed)
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.labels, other.labels)


def test_mirror_swaps_left_and_right() -> None:
    straight, mirrored = view(STILL), view(Augmentation((1.0, 1.0), 1.0, 0.0, 0.0, 0.0))
    np.testing.assert_array_equal(mirrored.labels, straight.labels[:, ::-1])
    np.testing.assert_array_equal(mirrored.image, straight.image[:, :, ::-1])


def test_scales_cover_their_range_evenly_on_a_logarithmic_scale() -> None:
    """The share of the canvas that the image covers at scales up to 1 is the scale's square."""
    rng = np.random.default_rng(0)
    views = [augmented(sample(), SIZE, Augmentation((0.25, 1.0), 0.0), rng) for _ in range(400)]
    scales = [np.sqrt(np.mean(view.labels != IGNORE)) for view in views]
    quartiles = np.quantile(np.log2(scales), [0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(quartiles, [-2, -1.5, -1, -0.5, 0], atol=0.15)


def test_enlarged_images_are_cut_and_smaller_ones_padded() -> None:
    assert (view(Augmentation((2.0, 2.0))).labels != IGNORE).all()
    assert np.mean(view(Augmentation((0.5, 0.5))).labels != IGNORE) == 0.25


def test_crops_reach_all_of_the_image() -> None:
    """A pixel's number is its label; at scale 2 a crop shows a quarter, so corners must come up."""
    corner = sample()
    labels = np.zeros_like(corner.labels)
    labels[:30, :30], labels[-30:, -30:] = 1, 2
    marked = Sample("corners", corner.image, labels)
    seen = [np.unique(view(Augmentation((2.0, 2.0), 0.0), seed, marked).labels) for seed in range(60)]
    assert {int(label) for labels in seen for label in labels} == {0, 1, 2}
    assert not any({1, 2} <= set(labels.tolist()) for labels in seen)


def test_jitter_follows_its_formula() -> None:
    """Against the three changes made one after the other."""
    image = np.random.default_rng(0).integers(60, 120, (8, 9, 3), dtype=np.uint8)
    change = Augmentation(brightness=0.2, contrast=0.2, saturation=0.2)
    rng = np.random.default_rng(4)
    brightness, contrast, saturation = (rng.uniform(0.8, 1.2) for _ in range(3))
    luma = np.array([0.299, 0.587, 0.114])
    expected = image * brightness
    expected = (expected - (expected @ luma).mean()) * contrast + (expected @ luma).mean()
    grey = (expected @ luma)[:, :, None]
    expected = (expected - grey) * saturation + grey
    np.testing.assert_allclose(jittered(image, change, np.random.default_rng(4)), expected, atol=1e-3)


def test_jitter_stays_in_range() -> None:
    image = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (16, 16, 3))
    for seed in range(20):
        strongest = Augmentation(brightness=1.0, contrast=1.0, saturation=1.0)
        changed = jittered(image, strongest, np.random.default_rng(seed))
        assert changed.min() >= 0
        assert changed.max() <= 255


@pytest.mark.parametrize("scales", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_impossible_scales_are_refused(scales: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match=r"augmentation\.scales"):
        Augmentation(scales=scales)


@pytest.mark.parametrize("name", ["mirror", "brightness", "contrast", "saturation"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_outside_of_0_to_1_are_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=rf"augmentation\.{name}"):
        Augmentation(**{name: value})  # type: ignore[arg-type]
