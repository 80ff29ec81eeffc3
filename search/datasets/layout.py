"""Data sets in folders: where images and masks lie, and one error where they do not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hyctas.errors import DatasetError
from search.datasets.dataset import ClassLabel, Dataset
from search.datasets.folder_split import FolderSplit, ImagePair
from search.datasets.mask_ids import MaskIds

_NAMED: Final = 3
"""Files that an error names before it only counts."""
_LISTED: Final = 12


@dataclass(frozen=True, slots=True)
class MaskForm:
    """One way in which masks are named and numbered: the image's name with another ending."""

    suffix: str
    ids: MaskIds


@dataclass(frozen=True, slots=True)
class SplitFolders:
    """Folders of one split, relative to the data set's; images may lie in folders within, masks in equal ones."""

    images: str
    masks: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set is laid out in its folder.

    Attributes:
        name: As it is written before the folder in a data set's name, such as ``camvid``.
        classes: In the order of their ids.
        training: Folders of the images to learn from.
        validation: Folders of the images to score on.
        image_suffix: What names of images end with.
        masks: Forms of masks; for each image the first that is there is taken.
        source: Where to get it.
    """

    name: str
    classes: tuple[ClassLabel, ...]
    training: SplitFolders
    validation: SplitFolders
    image_suffix: str
    masks: tuple[MaskForm, ...]
    source: str


def open_layout(layout: Layout, root: Path) -> Dataset:
    """The data set in folder `root`; files are listed now and read later.

    Raises:
        DatasetError: The folder is not laid out so; says everything that was looked for and not found.
    """
    training, missing = _split(layout, root, "training", layout.training)
    validation, also_missing = _split(layout, root, "validation", layout.validation)
    if missing or also_missing:
        raise DatasetError(_explained(layout, root, missing + also_missing))
    digest = _digest(layout.name, root, (training, validation))
    return Dataset(layout.name, layout.classes, training, validation, digest)


def _split(layout: Layout, root: Path, name: str, folders: SplitFolders) -> tuple[FolderSplit, list[str]]:
    """The split, and what is wrong with it."""
    images, masks = root / folders.images, root / folders.masks
    absent = [f"no folder {folder}" for folder in (folders.images, folders.masks) if not (root / folder).is_dir()]
    if absent:
        return FolderSplit(name, ()), absent
    stems = [path.removesuffix(layout.image_suffix) for path in _files(images) if path.endswith(layout.image_suffix)]
    if not stems:
        return FolderSplit(name, ()), [f"no *{layout.image_suffix} in {folders.images}: the {name} set is empty"]
    present = frozenset(_files(masks))
    forms = {stem: _form(layout, stem, present) for stem in stems}
    without = [stem for stem, form in forms.items() if form is None]
    pairs = tuple(
        ImagePair(stem, images / f"{stem}{layout.image_suffix}", masks / f"{stem}{form.suffix}", form.ids)
        for stem, form in forms.items()
        if form is not None
    )
    return FolderSplit(name, pairs), _without_mask(layout, folders, without, len(stems)) if without else []


def _form(layout: Layout, stem: str, present: frozenset[str]) -> MaskForm | None:
    return next((form for form in layout.masks if f"{stem}{form.suffix}" in present), None)


def _files(folder: Path) -> Iterator[str]:
    """Files in `folder` and below, relative to it, in an order that is the same on any machine."""
    found = (
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
    return iter(sorted(found))


def _without_mask(layout: Layout, folders: SplitFolders, stems: list[str], images: int) -> list[str]:
    named = ", ".join(f"{stem}{layout.image_suffix}" for stem in stems[:_NAMED])
    more = f" and {len(stems) - _NAMED} more" if len(stems) > _NAMED else ""
    return [f"{len(stems)} of {images} images in {folders.images} have no mask in {folders.masks}: {named}{more}"]


def _explained(layout: Layout, root: Path, missing: list[str]) -> str:
    endings = " or ".join(f"*{form.suffix}" for form in layout.masks)
    wanted = "; ".join(
        f"{folders.images}/ with *{layout.image_suffix} and {folders.masks}/ with {endings}"
        for folders in (layout.training, layout.validation)
    )
    return (
        f"{root} is not laid out as {layout.name}. Looked for: {wanted}. Found: {'; '.join(missing)}. "
        f"{_contents(root)}. {layout.source}"
    )


def _contents(root: Path) -> str:
    if not root.is_dir():
        return f"There is no folder {root}"
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in root.iterdir())
    shown = names[:_LISTED] + [f"and {len(names) - _LISTED} more"] * (len(names) > _LISTED)
    return f"{root} holds: {', '.join(shown) or 'nothing'}"


def _digest(name: str, root: Path, splits: tuple[FolderSplit, ...]) -> str:
    """Covers names and sizes of files: reading all pixels of a large data set would take longer than a search."""
    digest = hashlib.sha256(name.encode())
    for split in splits:
        for path in (path for pair in split.pairs for path in (pair.image, pair.mask)):
            line = f"\n{split.name}\t{path.relative_to(root).as_posix()}\t{path.stat().st_size}"
            digest.update(line.encode())
    return digest.hexdigest()
