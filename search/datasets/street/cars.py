"""Cars seen from behind, from the front and from the side."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.datasets.street import palette
from search.datasets.street.camera import Camera, Reals
from search.datasets.street.classes import CAR
from search.datasets.street.ground import shade_ground
from search.datasets.street.picture import Patch, Picture, facing, flanking
from search.datasets.street.street import Street

_LENGTH_M: Final = 4.2
_WIDTH_M: Final = 1.8
_ROOF: Final = ((0.0, 0.06, 0.2, 0.35, 0.6, 0.76, 0.96, 1.0), (0.50, 0.42, 0.08, 0.0, 0.02, 0.40, 0.50, 0.62))
"""Outline of a car from its rear: places along it, and how far down its upper edge lies."""
_HALF_WIDTH: Final = ((0.0, 0.1, 0.42, 0.52, 1.0), (0.30, 0.36, 0.43, 0.5, 0.48))
"""Outline from behind: how far down, and half the width there."""


def draw_car(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator, *, along: bool) -> None:
    """A car that stands or drives along the street, or crosses it."""
    height_m, paint = rng.uniform(1.35, 1.75), palette.picked(rng, palette.PAINTS)
    depth_m = float(rng.uniform(5, 12) if rng.random() < 0.4 else rng.uniform(9, 50))
    left, right = street.kerbs_m
    glass = street.sky * np.float32(rng.uniform(0.1, 0.7))
    if not along:
        across_m = rng.uniform(left, right)
        shade_ground(picture, camera, across_m=across_m, depth_m=depth_m, size_m=(2.4, 0.7))
        _paint_side(picture, facing(
            camera, across_m=across_m, depth_m=depth_m, width_m=_LENGTH_M, height_m=height_m
        ), paint, glass)  # fmt: skip
        return
    across_m = float(rng.choice([left + 1.1, right - 1.1, (left + 3 * right) / 4]))
    shade_ground(picture, camera, across_m=across_m, depth_m=depth_m + _LENGTH_M / 2, size_m=(1.25, 0.6 * _LENGTH_M))
    flank_m = across_m - float(np.sign(across_m)) * _WIDTH_M / 2
    if flank_m * across_m > 0:
        _paint_side(picture, flanking(
            camera, across_m=flank_m, nearest_m=depth_m, farthest_m=depth_m + _LENGTH_M, height_m=height_m
        ), paint * np.float32(0.8), glass)  # fmt: skip
    patch = facing(camera, across_m=across_m, depth_m=depth_m, width_m=_WIDTH_M, height_m=height_m)
    _paint_rear(picture, patch, paint, glass, lights=palette.SIGNS[0] if rng.random() < 0.6 else palette.PAINTS[0])


def _paint_side(picture: Picture, patch: Patch | None, paint: Reals, glass: Reals) -> None:
    if patch is None:
        return
    u, v = np.broadcast_arrays(patch.u, patch.v)
    roof = np.interp(u[0], *_ROOF).astype(np.float32)
    wheel = _wheel(u, v, 0.2) | _wheel(u, v, 0.8)
    body = (v > roof) & (v < 0.88)
    colour = np.where((v > 0.6)[:, :, None], paint * np.float32(0.75), paint)
    window = (v > roof + 0.09) & (v < 0.4) & (u > 0.18) & (u < 0.7) & (np.abs(u - 0.46) > 0.015)
    colour[window] = glass
    colour[wheel] = 0.06
    picture.put(patch.box, (body | wheel) & (u >= 0) & (u <= 1), colour, CAR, patch.depth_m)


def _wheel(u: Reals, v: Reals, place: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((u - np.float32(place)) * np.float32(2.6)) ** 2 + (v - np.float32(0.82)) ** 2 < 0.032
    return inside


def _paint_rear(picture: Picture, patch: Patch | None, paint: Reals, glass: Reals, *, lights: Reals) -> None:
    if patch is None:
        return
    u, v = np.abs(patch.u - np.float32(0.5)), patch.v
    half = np.interp(v[:, 0], *_HALF_WIDTH).astype(np.float32)[:, None]
    wheel = (v >= 0.86) & (u > 0.3) & (u < 0.47)
    body = (u < half) & (v < 0.92)
    colour = np.where((v > 0.62)[:, :, None], paint * np.float32(0.8), paint) + np.zeros((1, u.shape[1], 1), np.float32)
    colour[(v > 0.09) & (v < 0.4) & (u < half - 0.06)] = glass
    colour[(v > 0.48) & (v < 0.6) & (u > 0.36)] = lights
    colour[(v > 0.68) & (v < 0.76) & (u < 0.14)] = 0.8
    colour[(v > 0.84) & (u < 0.5)] = 0.07
    picture.put(patch.box, body | wheel, colour, CAR, patch.depth_m)
