"""Classes of the drawn street scenes."""

from __future__ import annotations

from typing import Final

from search.datasets.dataset import ClassLabel

STREET_CLASSES: Final = (
    ClassLabel("sky", (70, 130, 180)),
    ClassLabel("building", (70, 70, 70)),
    ClassLabel("road", (128, 64, 128)),
    ClassLabel("pavement", (244, 35, 232)),
    ClassLabel("tree", (107, 142, 35)),
    ClassLabel("car", (0, 0, 142)),
    ClassLabel("pole", (220, 220, 0)),
    ClassLabel("pedestrian", (220, 20, 60)),
)
"""Poles carry lamps and signs, which count as pole; colours as of like classes in Cityscapes."""

SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, POLE, PEDESTRIAN = range(len(STREET_CLASSES))
