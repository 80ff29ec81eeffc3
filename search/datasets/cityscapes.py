"""Cityscapes with fine annotations: street scenes of 2048 x 1024 in 19 classes.

Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016, arXiv 1604.01685. Numbers in
files, the 19 of them that are scored, and the colours are those of ``cityscapesscripts/helpers/labels.py``
(github.com/mcordts/cityscapesScripts). Masks with train ids, which its ``createTrainIdLabelImgs`` writes, are taken
where they are.
"""

from __future__ import annotations

from typing import Final

from search.datasets.dataset import IGNORE, ClassLabel, Colour
from search.datasets.layout import Layout, MaskForm, SplitFolders
from search.datasets.mask_ids import MaskIds

_LABELS: Final[tuple[tuple[int, str, Colour], ...]] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
"""Number in ``*_labelIds.png``, name and colour, in the order of the train ids 0 to 18."""
_NUMBERS: Final = tuple(number for number, _, _ in _LABELS)

CITYSCAPES: Final = Layout(
    name="cityscapes",
    classes=tuple(ClassLabel(name, colour) for _, name, colour in _LABELS),
    training=SplitFolders("leftImg8bit/train", "gtFine/train"),
    validation=SplitFolders("leftImg8bit/val", "gtFine/val"),
    image_suffix="_leftImg8bit.png",
    masks=(
        MaskForm("_gtFine_labelTrainIds.png", MaskIds(tuple(range(19)), frozenset({IGNORE}))),
        MaskForm("_gtFine_labelIds.png", MaskIds(_NUMBERS, frozenset(range(34)) - frozenset(_NUMBERS))),
    ),
    source="Cityscapes: cityscapes-dataset.com, leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip",
)
