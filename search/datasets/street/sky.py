"""Sky with clouds."""

from __future__ import annotations

import numpy as np

from search.datasets.street.camera import Camera
from search.datasets.street.noise import sample
from search.datasets.street.picture import Picture
from search.datasets.street.street import Street


def draw_sky(picture: Picture, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Colour all of the picture as sky: darker upwards, with clouds."""
    rows = slice(0, int(camera.horizon) + 1)
    up = np.clip(1 - camera.rows[rows] / np.float32(camera.horizon), 0, 1)
    clouds = sample(
        street.noise,
        camera.rows[rows] * np.float32(240 / camera.height),
        camera.columns * np.float32(200 / camera.width),
    )
    shade = 1 - np.float32(rng.uniform(0, 0.35)) * up + np.float32(rng.uniform(0, 0.4)) * (clouds - np.float32(0.4))
    picture.colour[rows] = street.sky * shade[:, :, None]
