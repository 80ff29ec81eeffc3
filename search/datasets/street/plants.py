"""Trees and hedges."""

from __future__ import annotations

import numpy as np

from search.datasets.street import palette
from search.datasets.street.camera import Camera
from search.datasets.street.classes import TREE
from search.datasets.street.ground import shade_ground
from search.datasets.street.noise import Field, sample
from search.datasets.street.picture import Picture, facing, flanking
from search.datasets.street.street import Street


def draw_tree(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """A tree at the edge of a pavement or in a gap between houses; its crown lets some of what is behind through."""
    side = rng.integers(2)
    outward = (-1.0, 1.0)[side]
    across_m = float(street.kerbs_m[side] + outward * rng.uniform(0.5, 2.5) if rng.random() < 0.7
                     else street.walls_m[side] + outward * rng.uniform(0, 4))  # fmt: skip
    depth_m, height_m = float(rng.uniform(6, 60)), float(rng.uniform(3.5, 9))
    shade_ground(picture, camera, across_m=across_m, depth_m=depth_m, size_m=(1.5, 1.5))
    patch = facing(
        camera, across_m=across_m, depth_m=depth_m, width_m=height_m * rng.uniform(0.45, 0.9), height_m=height_m
    )
    if patch is None:
        return
    colour, bark = palette.picked(rng, palette.FOLIAGE), palette.picked(rng, palette.BARK)
    start = np.float32(rng.uniform(0, 128))
    leaves = sample(street.noise, patch.v * 60 + start, patch.u * 60 + start)
    radius = ((patch.u - 0.5) * 2) ** 2 + ((patch.v - np.float32(0.38)) / np.float32(0.4)) ** 2
    crown = radius + (leaves - np.float32(0.5)) * np.float32(1.3) < 0.95
    trunk = (np.abs(patch.u - 0.5) < 0.035) & (patch.v > 0.5)
    lit = (np.float32(0.55) + leaves * np.float32(0.8)) * (np.float32(1.15) - patch.v * np.float32(0.4))
    shown = np.where(crown[:, :, None], colour * lit[:, :, None], bark)
    picture.put(patch.box, crown | trunk, shown, TREE, patch.depth_m)


def draw_hedge(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """A hedge in front of the houses of one side."""
    side = rng.integers(2)
    nearest_m = float(rng.uniform(3, 25))
    height_m = float(rng.uniform(0.8, 2.2))
    patch = flanking(
        camera,
        across_m=street.walls_m[side] + (0.3, -0.3)[side],
        nearest_m=nearest_m,
        farthest_m=nearest_m + rng.uniform(5, 25),
        height_m=height_m,
    )
    if patch is None:
        return
    leaves = _leaves(street.noise, patch.u * 200, patch.v * 20)
    mask = (patch.v > (leaves - np.float32(0.4)) * np.float32(0.3)) & (patch.v <= 1) & (patch.u >= 0) & (patch.u <= 1)
    colour = palette.picked(rng, palette.FOLIAGE) * (np.float32(0.5) + leaves)[:, :, None]
    picture.put(patch.box, mask, colour, TREE, patch.depth_m)


def _leaves(noise: Field, along: Field, down: Field) -> Field:
    return sample(noise, down, along)
