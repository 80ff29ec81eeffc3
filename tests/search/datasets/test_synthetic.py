"""Drawn street scenes: reproducible, never twice the same, and no class told by colour alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hyctas.errors import InvalidInput
from search.datasets.dataset import Sample, Split
from search.datasets.street.classes import CAR, PEDESTRIAN, POLE, ROAD, SKY, STREET_CLASSES
from search.datasets.synthetic import SyntheticSettings, open_synthetic

SMALL = "synthetic:5:24+8:48x96"


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(every(open_synthetic(SMALL).training))


def every(split: Split) -> Iterator[Sample]:
    return (split[index] for index in range(len(split)))


def content(spec: str) -> str:
    """A digest of all pixels and labels."""
    dataset, digest = open_synthetic(spec), hashlib.sha256()
    for split in (dataset.training, dataset.validation):
        for sample in every(split):
            digest.update(sample.image.tobytes() + sample.labels.tobytes())
    return digest.hexdigest()


def test_default_is_256_and_64_scenes_of_128_x_256() -> None:
    dataset = open_synthetic("synthetic")
    assert (len(dataset.training), len(dataset.validation)) == (256, 64)
    assert dataset.training[255].image.shape == (128, 256, 3)
    assert dataset.digest == open_synthetic("synthetic:0:256+64:128x256").digest


def test_scenes_are_the_same_in_another_process(root: Path) -> None:
    script = f"from tests.search.datasets.test_synthetic import content; print(content({SMALL!r}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == content(SMALL)


def test_a_scene_does_not_depend_on_which_were_drawn_before(samples: list[Sample]) -> None:
    np.testing.assert_array_equal(open_synthetic(SMALL).training[17].image, samples[17].image)


def test_more_scenes_begin_with_the_same_ones(samples: list[Sample]) -> None:
    larger = open_synthetic("synthetic:5:99+8:48x96")
    np.testing.assert_array_equal(larger.training[3].image, samples[3].image)
    assert larger.digest != open_synthetic(SMALL).digest


def test_no_two_scenes_are_the_same(samples: list[Sample]) -> None:
    others = [*every(open_synthetic(SMALL).validation), *every(open_synthetic("synthetic:6:4+1:48x96").training)]
    scenes = [sample.labels.tobytes() for sample in [*samples, *others]]
    assert len(set(scenes)) == len(scenes)


def test_settings_all_change_the_digest() -> None:
    specs = ["synthetic", "synthetic:1", "synthetic:0:255+64", "synthetic:0:256+65", "synthetic:0:256+64:96x256"]
    assert len({open_synthetic(spec).digest for spec in specs}) == len(specs)


def test_every_class_occurs_from_rare_and_thin_to_common(samples: list[Sample]) -> None:
    counts = sum(np.bincount(sample.labels.ravel(), minlength=len(STREET_CLASSES)) for sample in samples)
    share = np.asarray(counts) / np.sum(counts)
    assert len(share) == len(STREET_CLASSES)
    assert share[ROAD] > 0.15
    assert 0.001 < share[PEDESTRIAN] < 0.03
    assert 0.001 < share[POLE] < 0.03
    assert share[CAR] > 0.01


def test_poles_are_thin_and_cars_are_large(samples: list[Sample]) -> None:
    """Eroding by a pixel leaves most of the cars and little of the poles."""
    assert kept_by_erosion(samples, POLE) < 0.25
    assert kept_by_erosion(samples, CAR) > 0.5


def kept_by_erosion(samples: list[Sample], label: int) -> float:
    masks = np.stack([sample.labels == label for sample in samples])
    inside = masks[:, :, 1:-1] & masks[:, :, :-2] & masks[:, :, 2:]
    return float(inside.sum() / masks.sum())


def test_scenes_stand_upright(samples: list[Sample]) -> None:
    """Sky is never below road in a column."""
    rows = np.arange(48)[:, None]
    for sample in samples:
        lowest_sky = np.where(sample.labels == SKY, rows, -1).max(0)
        highest_road = np.where(sample.labels == ROAD, rows, 99).min(0)
        assert (lowest_sky < highest_road).all()


def test_colour_alone_does_not_tell_the_class(samples: list[Sample]) -> None:
    """The best table from colours to classes, made for these very scenes, fails on many classes; position helps."""
    labels = np.concatenate([sample.labels.ravel() for sample in samples])
    colours = np.concatenate([(sample.image // 32).reshape(-1, 3) for sample in samples]) @ np.array([64, 8, 1])
    place = np.tile(np.repeat(np.arange(48) // 6, 96), len(samples))
    by_colour = mean_iou(labels, majority(colours, labels))
    by_colour_and_row = mean_iou(labels, majority(colours + 512 * place, labels))
    assert by_colour < 0.3
    assert by_colour + 0.05 < by_colour_and_row < 0.5


def majority(keys: NDArray[np.int64], labels: NDArray[np.uint8]) -> NDArray[np.intp]:
    classes = len(STREET_CLASSES)
    counts = np.bincount(classes * keys + labels, minlength=classes * (keys.max() + 1)).reshape(-1, classes)
    return counts.argmax(1)[keys]


def mean_iou(labels: NDArray[np.uint8], guess: NDArray[np.intp]) -> float:
    both = [((labels == label) & (guess == label)).sum() for label in range(len(STREET_CLASSES))]
    either = [((labels == label) | (guess == label)).sum() for label in range(len(STREET_CLASSES))]
    return float(np.mean(np.divide(both, either)))


@pytest.mark.parametrize("size", [(16, 16), (17, 90), (64, 20)])
def test_scenes_of_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    for sample in every(open_synthetic(f"synthetic:9:12+1:{size[0]}x{size[1]}").training):
        assert sample.image.shape == (*size, 3)
        assert sample.labels.max() < len(STREET_CLASSES)


@pytest.mark.parametrize("spec", ["synthetic:-1", "synthetic:x", "synthetic:1:5", "synthetic:1:5+5:64", "synthetic 1"])
def test_other_forms_are_refused_with_an_example(spec: str) -> None:
    with pytest.raises(InvalidInput, match=r"synthetic:7:256\+64:128x256"):
        open_synthetic(spec)


@pytest.mark.parametrize("name", ["training", "validation", "height", "width"])
def test_empty_sets_and_tiny_scenes_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"synthetic {name}: 0 is not allowed"):
        SyntheticSettings(**{name: 0})


def test_scene_outside_of_the_split_is_an_index_error() -> None:
    validation = open_synthetic(SMALL).validation
    for index in (-1, 8):
        with pytest.raises(IndexError, match="scenes 0 to 7"):
            validation[index]
