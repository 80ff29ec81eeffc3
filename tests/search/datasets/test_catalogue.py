from __future__ import annotations

from pathlib import Path

import pytest

from hyctas.errors import InvalidInput
from search.datasets.cache import CachedSplit
from search.datasets.catalogue import LAYOUTS, SPEC_FORMS, open_dataset
from tests.search.datasets.trees import CAMVID_TREE


@pytest.mark.parametrize(
    "spec", ["", "camvid", "camvid:", "pascal:/data", "Camvid:/data", "synthetically", "synthetic:"]
)
def test_unknown_names_are_refused_with_all_forms(spec: str) -> None:
    with pytest.raises(InvalidInput, match="dataset") as caught:
        open_dataset(spec)
    assert "synthetic[:SEED" in str(caught.value)


def test_forms_name_every_layout() -> None:
    assert all(f"{name}:DIR" in SPEC_FORMS for name in LAYOUTS)


def test_folder_may_contain_colons_and_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CAMVID_TREE.write(tmp_path / "a:b")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_dataset("camvid:~/a:b").digest == open_dataset(f"camvid:{tmp_path}/a:b").digest


def test_images_are_kept_within_the_budget(tmp_path: Path) -> None:
    CAMVID_TREE.write(tmp_path)
    for cache_bytes, kept in ((0, 0), (4 * 24 * 32, 1), (1 << 20, 3)):
        training = open_dataset(f"camvid:{tmp_path}", cache_bytes=cache_bytes).training
        for index in range(3):
            training[index]
        assert isinstance(training, CachedSplit)
        assert training.kept == kept
