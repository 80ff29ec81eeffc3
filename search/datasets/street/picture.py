"""What is drawn on: colours, classes and depths of pixels; the nearest thing stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.datasets.street.camera import Camera, Reals
from search.datasets.street.classes import SKY

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Arrays of one image that drawing changes.

    Attributes:
        colour: Red, green and blue, about 0 to 1, (H, W, 3).
        labels: Class ids, (H, W).
        depth_m: How far away what is seen is, (H, W).
    """

    colour: Reals
    labels: NDArray[np.uint8]
    depth_m: Reals

    @classmethod
    def empty(cls, camera: Camera) -> Picture:
        """Nothing but sky, without colour."""
        shape = (camera.height, camera.width)
        return cls(np.zeros((*shape, 3), np.float32), np.full(shape, SKY, np.uint8), np.full(shape, np.inf, np.float32))

    def put(
        self, box: Box, mask: NDArray[np.bool_], colour: Reals, label: int | NDArray[np.uint8], depth_m: Reals | float
    ) -> None:
        """Draw over the pixels of `box` where `mask` is set and nothing nearer is.

        Args:
            box: Rows and columns.
            mask: What to draw, of the box's shape.
            colour: (rows, columns, 3), or what broadcasts to it.
            label: Class, or classes of the box's shape.
            depth_m: Of all of it, or what broadcasts to the box's shape.
        """
        seen = mask & (depth_m < self.depth_m[box])
        np.copyto(self.colour[box], colour, where=seen[:, :, None])
        np.copyto(self.labels[box], np.uint8(label), where=seen)
        np.copyto(self.depth_m[box], np.float32(depth_m), where=seen)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """An upright rectangle as the camera sees it.

    Attributes:
        box: Rows and columns that it covers, cut at the image's edges.
        u: From 0 at its left to 1 at its right, for each column, (1, w).
        v: From 0 at its top to 1 at its foot, for each row, (h, 1).
        depth_m: Of each column, (1, w), or of all.
    """

    box: Box
    u: Reals
    v: Reals
    depth_m: Reals | float


def facing(
    camera: Camera, *, across_m: float, depth_m: float, width_m: float, height_m: float, foot_m: float = 0.0
) -> Patch | None:
    """A rectangle that faces the camera, centred at `across_m`; None if none of it is in view."""
    left = camera.column(across_m - width_m / 2, depth_m)
    right = max(camera.column(across_m + width_m / 2, depth_m), left + 1)
    top, foot = camera.row(foot_m + height_m, depth_m), camera.row(foot_m, depth_m)
    foot = max(foot, top + 1)
    box = _box(camera, top, foot, left, right)
    if box is None:
        return None
    u = (camera.columns[:, box[1]] - np.float32(left)) / np.float32(right - left)
    v = (camera.rows[box[0]] - np.float32(top)) / np.float32(foot - top)
    return Patch(box, u, v, depth_m)


def flanking(camera: Camera, *, across_m: float, nearest_m: float, farthest_m: float, height_m: float) -> Patch | None:
    """A rectangle along the street beside the camera, from `nearest_m` (u = 0) to `farthest_m`; or None.

    Its rows get farther apart towards the camera, so `v` is (h, w).
    """
    ends = sorted(camera.column(across_m, depth) for depth in (nearest_m, farthest_m))
    box = _box(camera, camera.row(height_m, nearest_m), camera.row(0, nearest_m), *ends)
    if box is None or ends[1] - ends[0] < 1:
        return None
    depth = camera.side_depth(camera.columns[:, box[1]], across_m)
    u = (depth - np.float32(nearest_m)) / np.float32(farthest_m - nearest_m)
    v = 1 - camera.altitude(camera.rows[box[0]], depth) / np.float32(height_m)
    return Patch(box, u, v, depth)


def _box(camera: Camera, top: float, foot: float, left: float, right: float) -> Box | None:
    """Pixels whose centres lie in a rectangle."""
    rows = slice(max(0, round(top)), min(camera.height, round(foot)))
    columns = slice(max(0, round(left)), min(camera.width, round(right)))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None
