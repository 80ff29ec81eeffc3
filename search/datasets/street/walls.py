"""Buildings on both sides and across the end of the street, with gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.datasets.street import palette
from search.datasets.street.camera import Camera, Reals
from search.datasets.street.classes import BUILDING
from search.datasets.street.noise import Field, sample
from search.datasets.street.picture import Picture
from search.datasets.street.street import Street

_SHOP_M = np.float32(3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Facades:
    """A row of houses; arrays have a value for each.

    Attributes:
        edges_m: Where houses meet along the row; one fewer than houses.
        height_m: 0 is a gap.
        colour: (houses, 3).
        shop: Colour of the ground floor's awnings, (houses, 3).
        window_m: Distance of windows along the row and between floors, (houses, 2).
        window_share: Which share of it is glass, (houses, 2).
        bright: How much of the sky windows show.
        poster_m: Where along the row a poster hangs.
        poster: Its colour, (houses, 3).
    """

    edges_m: Reals
    height_m: Reals
    colour: Reals
    shop: Reals
    window_m: Reals
    window_share: Reals
    bright: Reals
    poster_m: Reals
    poster: Reals

    def house(self, along_m: Reals) -> NDArray[np.intp]:
        """Which house stands at places along the row."""
        return np.searchsorted(self.edges_m, along_m)


def draw_walls(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Draw the houses of both sides, then those across the end."""
    lit = rng.uniform(0.65, 1.1, 3).astype(np.float32)
    for across_m, light in zip(street.walls_m, lit[:2], strict=True):
        depth = camera.side_depth(camera.columns, across_m)
        columns = _where(depth[0] < street.end_m)
        if columns is not None:
            houses = _houses(rng, first_m=0.0, last_m=street.end_m, gaps=0.12)
            _draw(picture, camera, street, houses, columns, (depth[:, columns], depth[:, columns]), light)
    open_end = rng.random() < 0.35
    width_m = 1.2 * street.end_m
    houses = _houses(rng, first_m=-width_m, last_m=width_m, gaps=0.85 if open_end else 0.1)
    along = camera.across(camera.columns, street.end_m)
    _draw(picture, camera, street, houses, slice(0, camera.width), (np.full_like(along, street.end_m), along), lit[2])


def _where(mask: NDArray[np.bool_]) -> slice | None:
    columns = np.flatnonzero(mask)
    return slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else None


def _houses(rng: np.random.Generator, *, first_m: float, last_m: float, gaps: float) -> Facades:
    """Houses of a few widths, so that neighbours differ."""
    widths = rng.uniform(6, 22, 2 + int((last_m - first_m) / 8))
    edges = first_m + np.cumsum(widths)
    edges = edges[edges < last_m]
    count = len(edges) + 1
    height = np.where(rng.random(count) < gaps, 0, rng.uniform(4, 18, count))
    middles = np.concatenate([[first_m], edges]) + rng.uniform(1, 6, count)
    return Facades(
        edges_m=edges.astype(np.float32),
        height_m=height.astype(np.float32),
        colour=palette.several(rng, palette.WALLS, count),
        shop=palette.several(rng, palette.SIGNS, count),
        window_m=rng.uniform([1.6, 2.6], [3.5, 3.6], (count, 2)).astype(np.float32),
        window_share=rng.uniform([0.3, 0.4], [0.75, 0.75], (count, 2)).astype(np.float32),
        bright=rng.uniform(0.0, 0.9, count).astype(np.float32),
        poster_m=np.where(rng.random(count) < 0.3, middles, -1e6).astype(np.float32),
        poster=palette.several(rng, _POSTERS, count),
    )


_POSTERS = np.concatenate([palette.FOLIAGE, palette.CLOTHES, palette.SKIES])


def _draw(
    picture: Picture,
    camera: Camera,
    street: Street,
    houses: Facades,
    columns: slice,
    place: tuple[Reals, Reals],
    light: np.float32,
) -> None:
    """Draw a row of houses over `columns`; `place` holds the depth and the place along the row, each (1, w)."""
    depth, along = place
    house = houses.house(along)[0]
    foot = min(camera.height, round(camera.row(0, float(depth.min()))))
    rows = slice(0, foot)
    altitude = camera.altitude(camera.rows[rows], depth)
    mask = (altitude >= 0) & (altitude < houses.height_m[house])
    colour = houses.colour[house] * _wear(street.noise, altitude, along)[:, :, None]
    _add_windows(colour, houses, house, street, altitude, along)
    _add_ground_floor(colour, houses, house, altitude, along)
    colour[altitude > houses.height_m[house] - np.float32(0.5)] *= np.float32(0.75)
    picture.put((rows, columns), mask, colour * light, BUILDING, depth)


def _wear(noise: Field, altitude: Reals, along: Reals) -> Reals:
    return np.float32(0.85) + np.float32(0.3) * sample(noise, altitude * np.float32(8), along * np.float32(8))


def _add_windows(
    colour: Reals, houses: Facades, house: NDArray[np.intp], street: Street, altitude: Reals, along: Reals
) -> None:
    """Upper floors: glass that is dark or shows the sky."""
    place, floor = along / houses.window_m[house, 0], altitude / houses.window_m[house, 1]
    share = houses.window_share[house] / 2
    beside = np.abs(place % 1 - np.float32(0.5)) < share[:, 0]
    glass = beside & (np.abs(floor % 1 - np.float32(0.5)) < share[:, 1]) & (altitude > _SHOP_M)
    shown = houses.bright[house] * (np.float32(0.5) + sample(street.noise, floor * 37, place * 53))
    light = np.clip(np.broadcast_to(shown, glass.shape)[glass], 0, 1)[:, None]
    colour[glass] = np.float32(0.12) * (1 - light) + street.sky * light


def _add_ground_floor(colour: Reals, houses: Facades, house: NDArray[np.intp], altitude: Reals, along: Reals) -> None:
    """Shop windows, awnings and posters."""
    low = (altitude > np.float32(0.5)) & (altitude < np.float32(2.5)) & (np.abs(along % 4 - 2) < np.float32(1.5))
    colour[low] *= np.float32(0.45)
    awning = (altitude > np.float32(2.5)) & (altitude < _SHOP_M)
    np.copyto(colour, houses.shop[house], where=awning[:, :, None])
    near = np.abs(along - houses.poster_m[house] - np.float32(1)) < np.float32(1)
    poster = near & (altitude > np.float32(0.8)) & (altitude < np.float32(3.6))
    np.copyto(colour, houses.poster[house], where=poster[:, :, None])
