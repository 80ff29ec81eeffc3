"""What air, lens and sensor do to a picture."""

from __future__ import annotations

import numpy as np

from search.datasets.dataset import Image
from search.datasets.street.camera import Reals
from search.datasets.street.picture import Picture
from search.datasets.street.street import Street


def photographed(picture: Picture, street: Street, rng: np.random.Generator) -> Image:
    """The picture as a camera delivers it: haze, a soft lens, exposure, a tint, noise."""
    colour = _hazy(picture, street)
    colour = _soft(colour, rng.uniform(0.0, 0.3))
    exposure = rng.uniform(0.6, 1.2) * rng.uniform(0.93, 1.07, 3)
    colour *= (255 * exposure).astype(np.float32)
    colour += np.float32(rng.uniform(2, 9)) * rng.standard_normal(colour.shape, np.float32)
    return np.clip(colour, 0, 255).astype(np.uint8)


def _hazy(picture: Picture, street: Street) -> Reals:
    clear = np.exp(picture.depth_m * np.float32(-1 / street.haze_m))
    clear[np.isinf(picture.depth_m)] = 1
    hazy: Reals = street.sky + (picture.colour - street.sky) * clear[:, :, None]
    return hazy


def _soft(colour: Reals, share: float) -> Reals:
    """Each pixel inside the picture takes `share` of its neighbours, along columns, then along rows."""
    own, neighbour = np.float32(1 - share), np.float32(share / 2)
    colour[1:-1] = colour[1:-1] * own + (colour[:-2] + colour[2:]) * neighbour
    colour[:, 1:-1] = colour[:, 1:-1] * own + (colour[:, :-2] + colour[:, 2:]) * neighbour
    return colour
