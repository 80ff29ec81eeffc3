"""Data sets by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hyctas.errors import InvalidInput
from search.datasets.ade20k import ADE20K
from search.datasets.cache import CACHE_BYTES, CachedSplit
from search.datasets.camvid import CAMVID
from search.datasets.cityscapes import CITYSCAPES
from search.datasets.coco_stuff import COCO_STUFF
from search.datasets.dataset import Dataset
from search.datasets.layout import Layout, open_layout
from search.datasets.synthetic import SYNTHETIC_FORM, open_synthetic

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {layout.name: layout for layout in (CAMVID, CITYSCAPES, ADE20K, COCO_STUFF)}
)
"""Data sets that lie in a folder."""


def open_dataset(spec: str, *, cache_bytes: int = CACHE_BYTES) -> Dataset:
    """The data set called `spec`.

    Args:
        spec: ``NAME:DIR`` for a data set in a folder, or ``synthetic``; :data:`SPEC_FORMS` lists all forms.
        cache_bytes: Memory for decoded images, for each of the two splits.

    Raises:
        InvalidInput: There is no such form.
        DatasetError: The folder does not hold what its name says.
    """
    name, _, rest = spec.partition(":")
    if name == "synthetic":
        dataset = open_synthetic(spec)
    elif name in LAYOUTS and rest:
        dataset = open_layout(LAYOUTS[name], Path(rest).expanduser())
    else:
        raise InvalidInput("dataset", spec, SPEC_FORMS)
    return dataclasses.replace(
        dataset,
        training=CachedSplit(dataset.training, cache_bytes),
        validation=CachedSplit(dataset.validation, cache_bytes),
    )


def anywhere(spec: str) -> str:
    """The same name with an absolute path of its folder, so that it means the same in any current folder."""
    name, colon, rest = spec.partition(":")
    folder = Path(rest).expanduser()
    return f"{name}{colon}{folder.resolve()}" if rest and folder.is_dir() else spec


SPEC_FORMS: Final = ", ".join([SYNTHETIC_FORM, *(f"{name}:DIR" for name in LAYOUTS)])
"""What :func:`open_dataset` takes, in words."""
