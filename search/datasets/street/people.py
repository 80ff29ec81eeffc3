"""Pedestrians."""

from __future__ import annotations

import numpy as np

from search.datasets.street import palette
from search.datasets.street.camera import Camera
from search.datasets.street.classes import PEDESTRIAN
from search.datasets.street.ground import shade_ground
from search.datasets.street.picture import Picture, facing
from search.datasets.street.street import Street


def draw_pedestrian(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Somebody on a pavement, more seldom on the road."""
    side = rng.integers(2)
    between = sorted((street.kerbs_m[side], street.walls_m[side]))
    across_m = float(rng.uniform(*(street.kerbs_m if rng.random() < 0.2 else between)))
    depth_m = float(rng.uniform(4.5, 35))
    shade_ground(picture, camera, across_m=across_m, depth_m=depth_m, size_m=(0.4, 0.4))
    patch = facing(camera, across_m=across_m, depth_m=depth_m, width_m=0.62, height_m=rng.uniform(1.45, 1.9))
    if patch is None:
        return
    aside, v = patch.u - np.float32(0.5), patch.v
    stride = np.float32(rng.uniform(0.0, 0.45))
    head = (aside / np.float32(0.2)) ** 2 + ((v - np.float32(0.075)) / np.float32(0.075)) ** 2 < 1
    torso = (np.abs(aside) < np.float32(rng.uniform(0.28, 0.42))) & (v > 0.14) & (v < 0.56)
    spread = np.abs(np.abs(aside) - stride * (v - np.float32(0.5))) < 0.13
    legs = spread & (v >= 0.5)
    shirt, trousers, skin = (palette.picked(rng, table) for table in (palette.CLOTHES, palette.CLOTHES, palette.SKIN))
    colour = np.where((v > 0.5)[:, :, None], trousers, shirt) + np.zeros((*head.shape, 1), np.float32)
    colour[head & (v > 0.04)] = skin
    picture.put(patch.box, head | torso | legs, colour, PEDESTRIAN, patch.depth_m)
