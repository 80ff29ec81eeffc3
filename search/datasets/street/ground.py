"""Road and pavements: alike in colour and wear, told apart by kerbs, markings and where they lie."""

from __future__ import annotations

import numpy as np

from search.datasets.street import palette
from search.datasets.street.camera import Camera, Reals
from search.datasets.street.classes import PAVEMENT, ROAD
from search.datasets.street.noise import sample
from search.datasets.street.picture import Picture
from search.datasets.street.street import Street

_SHADE = np.float32(0.58)


def draw_ground(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Draw everything below the horizon as road or pavement."""
    rows = slice(int(camera.horizon) + 1, camera.height)
    depth = camera.ground_depth(camera.rows[rows])
    across = camera.across(camera.columns, depth)
    left, right = street.kerbs_m
    road = (across > left) & (across < right)
    wear = sample(street.noise, depth * np.float32(9), across * np.float32(13))
    shades = _pavement_shade(across, depth, rng)
    np.copyto(shades, _road_shade(across, depth, street, rng), where=road)
    shades *= 1 + np.float32(rng.uniform(0.15, 0.45)) * (wear - np.float32(0.5))
    shades[street.in_shadow(across)] *= _SHADE
    asphalt, stone = _colours(rng)
    colour = np.where(road[:, :, None], asphalt, stone) * shades[:, :, None]
    wet = road & (sample(street.noise, depth * np.float32(1.5), across * np.float32(2)) > rng.uniform(0.75, 1.1))
    colour[wet] = colour[wet] * np.float32(0.4) + street.sky * np.float32(0.5)
    everywhere = np.ones(road.shape, np.bool_)
    picture.put((rows, slice(None)), everywhere, colour, np.where(road, ROAD, PAVEMENT).astype(np.uint8), depth)


def shade_ground(
    picture: Picture, camera: Camera, *, across_m: float, depth_m: float, size_m: tuple[float, float]
) -> None:
    """Darken an ellipse on the ground, such as the shadow under a car; `size_m` is its half width and half length."""
    nearest, farthest = max(depth_m - size_m[1], 0.5), depth_m + size_m[1]
    rows = slice(
        min(max(0, int(camera.row(0, farthest))), camera.height), min(camera.height, int(camera.row(0, nearest)) + 1)
    )
    rows = slice(max(rows.start, int(camera.horizon) + 1), rows.stop)
    depth = camera.ground_depth(camera.rows[rows])
    across = camera.across(camera.columns, depth)
    inside = ((across - np.float32(across_m)) / size_m[0]) ** 2 + ((depth - np.float32(depth_m)) / size_m[1]) ** 2 < 1
    ground = (picture.labels[rows] == ROAD) | (picture.labels[rows] == PAVEMENT)
    picture.colour[rows][inside & ground] *= np.float32(0.5)


def _colours(rng: np.random.Generator) -> tuple[Reals, Reals]:
    """Of road and pavement; often nearly the same, either may be the lighter one."""
    asphalt = palette.picked(rng, palette.GROUNDS)
    alike = rng.random() < 0.4
    stone = asphalt * np.float32(rng.uniform(0.93, 1.1)) if alike else palette.picked(rng, palette.GROUNDS)
    return asphalt, stone


def _road_shade(across: Reals, depth: Reals, street: Street, rng: np.random.Generator) -> Reals:
    """1, and more where the road is marked."""
    shade = np.ones(across.shape, np.float32)
    left, right = street.kerbs_m
    paint = np.float32(rng.uniform(1.5, 2.3))
    if rng.random() < 0.8:
        period = rng.uniform(4, 9)
        shade[(np.abs(across - (left + right) / 2) < 0.09) & ((depth % period) < period / 2)] = paint
    if rng.random() < 0.5:
        shade[(np.abs(across - left - 0.4) < 0.06) | (np.abs(across - right + 0.4) < 0.06)] = paint
    if rng.random() < 0.3:
        start = rng.uniform(6, 30)
        shade[(depth > start) & (depth < start + 3) & ((across % 1.0) < 0.5)] = paint
    return shade


def _pavement_shade(across: Reals, depth: Reals, rng: np.random.Generator) -> Reals:
    """1, and less where slabs meet."""
    shade = np.ones(across.shape, np.float32)
    if rng.random() < 0.6:
        slab = rng.uniform(0.6, 1.5)
        near = depth < 15
        shade[((across % slab) < 0.06) & near] = 0.82
        shade[((depth % slab) < 0.06) & near & np.ones_like(across, np.bool_)] = 0.82
    return shade
