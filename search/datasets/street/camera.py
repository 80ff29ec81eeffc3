"""A pinhole camera that looks along a street: where a point in metres lands in the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Camera:
    """A level camera above flat ground. Across is to the right, depth is forward, altitude is above the ground.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        horizon: Row that points at infinity fall on.
        vanishing: Column that the street leads to.
        focal: Pixels that one metre takes at one metre of depth.
        altitude_m: Of the camera above the ground.
    """

    height: int
    width: int
    horizon: float
    vanishing: float
    focal: float
    altitude_m: float

    @property
    def rows(self) -> Reals:
        """Centres of pixel rows, (H, 1)."""
        return np.arange(0.5, self.height, dtype=np.float32)[:, None]

    @property
    def columns(self) -> Reals:
        """Centres of pixel columns, (1, W)."""
        return np.arange(0.5, self.width, dtype=np.float32)[None, :]

    def row(self, altitude_m: float, depth_m: float) -> float:
        """Row of a point."""
        return self.horizon + (self.altitude_m - altitude_m) * self.focal / depth_m

    def column(self, across_m: float, depth_m: float) -> float:
        """Column of a point."""
        return self.vanishing + across_m * self.focal / depth_m

    def altitude(self, rows: Reals, depth_m: Reals) -> Reals:
        """Altitude that is seen at `rows`, at a depth."""
        seen: Reals = np.float32(self.altitude_m) - (rows - np.float32(self.horizon)) * (
            depth_m / np.float32(self.focal)
        )
        return seen

    def across(self, columns: Reals, depth_m: Reals | float) -> Reals:
        """Distance to the right that is seen at `columns`, at a depth."""
        seen: Reals = (columns - np.float32(self.vanishing)) * np.float32(1 / self.focal) * depth_m
        return seen

    def ground_depth(self, rows: Reals) -> Reals:
        """Depth at which `rows`, all below the horizon, meet the ground."""
        depth: Reals = np.float32(self.altitude_m * self.focal) / (rows - np.float32(self.horizon))
        return depth

    def side_depth(self, columns: Reals, across_m: float) -> Reals:
        """Depth at which `columns` meet the plane `across_m` beside the camera; infinity where they do not."""
        aside = (columns - np.float32(self.vanishing)) * np.float32(np.sign(across_m))
        depth: Reals = np.float32(abs(across_m) * self.focal) / np.maximum(aside, np.float32(1e-6))
        return depth
