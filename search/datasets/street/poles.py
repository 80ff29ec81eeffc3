"""Lamp posts, traffic signs and traffic lights."""

from __future__ import annotations

import numpy as np

from search.datasets.street import palette
from search.datasets.street.camera import Camera, Reals
from search.datasets.street.classes import POLE
from search.datasets.street.picture import Picture, facing
from search.datasets.street.street import Street


def draw_pole(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """A pole at a kerb with a lamp, a sign or nothing on it."""
    side = rng.integers(2)
    across_m = float(street.kerbs_m[side] + (-0.4, 0.4)[side])
    depth_m = float(rng.uniform(5, 45))
    metal = palette.picked(rng, palette.METALS)
    kind = rng.choice(["lamp", "sign", "traffic light", "bare"], p=[0.45, 0.3, 0.15, 0.1])
    height_m = rng.uniform(5, 8) if kind in ("lamp", "bare") else rng.uniform(2.4, 3.4)
    thick_m = rng.uniform(0.1, 0.22)
    _bar(picture, camera, (across_m, depth_m), (thick_m, height_m, 0.0), metal)
    if kind == "lamp":
        reach = (1.0, -1.0)[side] * rng.uniform(0.4, 1.8)
        _bar(picture, camera, (across_m + reach / 2, depth_m), (abs(reach), 0.12, height_m - 0.12), metal)
        _bar(picture, camera, (across_m + reach, depth_m), (0.6, 0.25, height_m - 0.3), metal * np.float32(1.2))
    elif kind == "sign":
        _sign(picture, camera, (across_m, depth_m - 0.05), height_m, rng)
    elif kind == "traffic light":
        _bar(picture, camera, (across_m, depth_m - 0.05), (0.4, 1.0, height_m - 0.9), np.full(3, 0.08, np.float32))
        lamp = palette.SIGNS[rng.choice([0, 2, 4])]
        _bar(picture, camera, (across_m, depth_m - 0.1), (0.2, 0.25, height_m - 0.6), lamp)


def _bar(
    picture: Picture, camera: Camera, place: tuple[float, float], size: tuple[float, float, float], colour: Reals
) -> None:
    """An upright rectangle; `place` is across and depth, `size` width, height and the altitude of its foot."""
    patch = facing(camera, across_m=place[0], depth_m=place[1], width_m=size[0], height_m=size[1], foot_m=size[2])
    if patch is not None:
        everywhere = np.ones((patch.v.shape[0], patch.u.shape[1]), np.bool_)
        picture.put(patch.box, everywhere, colour, POLE, patch.depth_m)


def _sign(
    picture: Picture, camera: Camera, place: tuple[float, float], height_m: float, rng: np.random.Generator
) -> None:
    """A disc or a board with a border."""
    size_m = rng.uniform(0.55, 0.9)
    patch = facing(
        camera, across_m=place[0], depth_m=place[1], width_m=size_m, height_m=size_m, foot_m=height_m - size_m
    )
    if patch is None:
        return
    across, down = np.abs(patch.u - 0.5), np.abs(patch.v - 0.5)
    reach = np.sqrt(across**2 + down**2) if rng.random() < 0.6 else np.maximum(across, down)
    border, inner = palette.picked(rng, palette.SIGNS), palette.picked(rng, palette.SIGNS)
    picture.put(patch.box, reach < 0.5, np.where((reach > 0.34)[:, :, None], border, inner), POLE, patch.depth_m)
