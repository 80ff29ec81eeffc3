"""Data sets in folders: what is read from a right layout, and the one error of a wrong one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from hyctas.errors import DatasetError
from search.datasets.catalogue import LAYOUTS, open_dataset
from search.datasets.dataset import Dataset
from tests.search.datasets.trees import CAMVID_TREE, TREES, Tree, image_of, write_image, write_mask


def opened(tree: Tree, root: Path) -> Dataset:
    return open_dataset(f"{tree.name}:{root}")


@pytest.fixture(params=TREES)
def tree(request: pytest.FixtureRequest) -> Tree:
    return TREES[request.param]


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    CAMVID_TREE.write(tmp_path)
    return tmp_path


def test_layout_gives_images_of_all_sizes_with_their_classes(tree: Tree, tmp_path: Path) -> None:
    tree.write(tmp_path)
    dataset = opened(tree, tmp_path)
    order = [0, 2, 1] if tree.name == "cityscapes" else [0, 1, 2]
    for split, count in ((dataset.training, 3), (dataset.validation, 2)):
        assert len(split) == count
        for place, index in enumerate(index for index in order if index < count):
            sample = split[place]
            assert sample.image.shape == (*sample.labels.shape, 3)
            np.testing.assert_array_equal(sample.labels, tree.labels_of(index))
    assert len({sample.name for sample in (dataset.training[place] for place in range(3))}) == 3


def test_png_image_is_read_as_it_was_written(camvid: Path) -> None:
    np.testing.assert_array_equal(opened(CAMVID_TREE, camvid).training[1].image, image_of(1))


def test_every_class_of_a_layout_has_one_number(tree: Tree) -> None:
    classes = LAYOUTS[tree.name].classes
    assert sorted(label for label in tree.numbers.values() if label != 255) == list(range(len(classes)))
    assert len({label.name for label in classes}) == len({label.colour for label in classes}) == len(classes)


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        ("cityscapes", {0: "road", 10: "sky", 13: "car", 18: "bicycle"}),
        ("ade20k", {0: "wall", 2: "sky", 12: "person", 149: "flag"}),
        ("coco-stuff", {0: "person", 11: "stop sign", 79: "toothbrush", 80: "banner", 170: "wood"}),
        ("camvid", {0: "sky", 3: "road", 8: "car", 10: "bicyclist"}),
    ],
)
def test_class_names_stand_at_their_published_places(spec: str, places: dict[int, str]) -> None:
    assert {place: LAYOUTS[spec].classes[place].name for place in places} == places


def test_digest_is_that_of_the_data_wherever_it_lies(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(camvid, elsewhere)
    digest = opened(CAMVID_TREE, camvid).digest
    assert opened(CAMVID_TREE, elsewhere).digest == digest
    CAMVID_TREE.write_pair(elsewhere, "train", 7)
    assert opened(CAMVID_TREE, elsewhere).digest != digest


def test_wrong_layout_says_what_was_looked_for_and_what_is_there(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DatasetError) as caught:
        opened(tree, tmp_path)
    message, layout = str(caught.value), LAYOUTS[tree.name]
    for folders in (layout.training, layout.validation):
        assert f"no folder {folders.images}" in message
        assert f"no folder {folders.masks}" in message
    assert layout.image_suffix in message
    assert all(form.suffix in message for form in layout.masks)
    assert "pictures/, readme.txt" in message
    assert layout.source in message


def test_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"There is no folder {re.escape(str(tmp_path / 'none'))}"):
        opened(CAMVID_TREE, tmp_path / "none")


def test_images_without_masks_are_counted_and_named(camvid: Path) -> None:
    for index in range(10, 15):
        write_image(camvid / CAMVID_TREE.files("train", index)[0], image_of(index))
    with pytest.raises(DatasetError, match=r"5 of 8 images in train have no mask in trainannot: ") as caught:
        opened(CAMVID_TREE, camvid)
    assert "0001TP_000010.png, 0001TP_000011.png, 0001TP_000012.png and 2 more" in str(caught.value)


def test_empty_validation_set_is_refused(camvid: Path) -> None:
    for path in (camvid / "val").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=r"no \*\.png in val: the validation set is empty"):
        opened(CAMVID_TREE, camvid)


def test_class_id_out_of_range_names_file_id_and_what_is_allowed(camvid: Path) -> None:
    mask = CAMVID_TREE.mask_of(0)
    mask[2, 3:5] = 12
    path = camvid / CAMVID_TREE.files("train", 0)[1]
    write_mask(path, mask)
    dataset = opened(CAMVID_TREE, camvid)
    with pytest.raises(DatasetError, match=re.escape(f"{path}: class id 12 on 2 pixels; allowed are 0 to 11")):
        dataset.training[0]
    dataset.training[1]


def test_image_and_mask_of_different_sizes_are_refused(camvid: Path) -> None:
    image, mask = (camvid / path for path in CAMVID_TREE.files("val", 1))
    write_mask(mask, np.zeros((8, 9), np.uint8))
    expected = f"{image}: the image is 40 x 17 pixels, its mask {mask} is 9 x 8"
    with pytest.raises(DatasetError, match=re.escape(expected)):
        opened(CAMVID_TREE, camvid).validation[1]


def test_cityscapes_prefers_masks_with_train_ids(tmp_path: Path) -> None:
    TREES["cityscapes"].write(tmp_path, training=1, validation=1)
    TREES["cityscapes-train-ids"].write(tmp_path, training=1, validation=0)
    dataset = opened(TREES["cityscapes"], tmp_path)
    np.testing.assert_array_equal(dataset.training[0].labels, TREES["cityscapes-train-ids"].labels_of(0))
    np.testing.assert_array_equal(dataset.validation[0].labels, TREES["cityscapes"].labels_of(0))


@pytest.mark.shared_data
def test_camvid_itself_is_read_whole(shared_data: Path) -> None:
    dataset = open_dataset(f"camvid:{shared_data / 'camvid'}")
    assert (len(dataset.training), len(dataset.validation)) == (184, 101)
    found = np.zeros(256, np.int64)
    for index in range(0, 101, 20):
        sample = dataset.validation[index]
        assert sample.image.shape == (360, 480, 3)
        found += np.bincount(sample.labels.ravel(), minlength=256)
    assert found[:11].all()
    assert not found[11:255].any()
    assert found[255] > 0
