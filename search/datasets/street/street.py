"""The plan of a street and the light on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.datasets.street import palette
from search.datasets.street.camera import Camera, Reals
from search.datasets.street.noise import Field, tile


@dataclass(frozen=True, slots=True, eq=False)
class Street:
    """A straight street, seen from above; lengths to the right of the camera are positive.

    Attributes:
        kerbs_m: Where the road ends on the left and on the right.
        walls_m: Where the pavements end.
        end_m: Depth at which the street ends.
        sun_m: Ground farther to the right than this lies in the shadow of the buildings (farther left: if
            `shadow_left`).
        shadow_left: Which side the shadow lies on.
        sky: Colour at the horizon.
        haze_m: Depth over which haze hides two thirds of what is seen.
        noise: A field for textures.
    """

    kerbs_m: tuple[float, float]
    walls_m: tuple[float, float]
    end_m: float
    sun_m: float
    shadow_left: bool
    sky: Reals
    haze_m: float
    noise: Field

    def in_shadow(self, across_m: Reals) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which of some places on the ground lie in the shadow of the buildings."""
        return (across_m < self.sun_m) if self.shadow_left else (across_m > self.sun_m)


def draw_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    """A camera behind the windscreen of a car."""
    return Camera(
        height=height,
        width=width,
        horizon=height * rng.uniform(0.38, 0.52),
        vanishing=width * rng.uniform(0.36, 0.64),
        focal=width * rng.uniform(0.5, 0.75),
        altitude_m=rng.uniform(1.3, 1.9),
    )


def draw_street(rng: np.random.Generator) -> Street:
    """A street with the camera in its right-hand or left-hand lane."""
    lane_m, middle_m = rng.uniform(2.7, 3.6), rng.choice([-1, 1]) * rng.uniform(1.2, 1.9)
    left = float(middle_m - lane_m - rng.choice([0.0, 2.2]))
    right = float(middle_m + lane_m + rng.choice([0.0, 2.2]))
    shadow_left = bool(rng.random() < 0.5)
    return Street(
        kerbs_m=(left, right),
        walls_m=(left - rng.uniform(1.5, 5), right + rng.uniform(1.5, 5)),
        end_m=rng.uniform(45, 140),
        sun_m=rng.uniform(left - 1, right + 1) if rng.random() < 0.6 else (-1e3 if shadow_left else 1e3),
        shadow_left=shadow_left,
        sky=palette.picked(rng, palette.SKIES),
        haze_m=rng.uniform(60, 400),
        noise=tile(rng),
    )
