"""A street scene from a source of randomness."""

from __future__ import annotations

import numpy as np

from search.datasets.dataset import Image, Labels
from search.datasets.street.cars import draw_car
from search.datasets.street.ground import draw_ground
from search.datasets.street.light import photographed
from search.datasets.street.people import draw_pedestrian
from search.datasets.street.picture import Picture
from search.datasets.street.plants import draw_hedge, draw_tree
from search.datasets.street.poles import draw_pole
from search.datasets.street.sky import draw_sky
from search.datasets.street.street import draw_camera, draw_street
from search.datasets.street.walls import draw_walls

VERSION = 1
"""Raised whenever the same random numbers give another picture."""


def drawn(rng: np.random.Generator, height: int, width: int) -> tuple[Image, Labels]:
    """A picture (H, W, 3) and its classes (H, W)."""
    camera, street = draw_camera(rng, height, width), draw_street(rng)
    picture = Picture.empty(camera)
    draw_sky(picture, camera, street, rng)
    draw_ground(picture, camera, street, rng)
    draw_walls(picture, camera, street, rng)
    for _ in range(rng.integers(0, 3)):
        draw_hedge(picture, camera, street, rng)
    for _ in range(rng.integers(0, 8)):
        draw_tree(picture, camera, street, rng)
    for _ in range(rng.integers(1, 7)):
        draw_car(picture, camera, street, rng, along=rng.random() < 0.85)
    for _ in range(rng.integers(2, 8)):
        draw_pole(picture, camera, street, rng)
    for _ in range(rng.integers(1, 8)):
        draw_pedestrian(picture, camera, street, rng)
    return photographed(picture, street, rng), picture.labels
