"""A sum of Matern kernels, each with a length scale for every input that it reads (automatic relevance determination).

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, sections 4.2 and 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Smoothness = Literal["3/2", "5/2"]
_ROOT: Final[Mapping[Smoothness, float]] = {"3/2": 3.0**0.5, "5/2": 5.0**0.5}


@dataclass(frozen=True, eq=False)
class Component:
    """One Matern kernel.

    Attributes:
        amplitude: Its variance.
        scales: Length scale of each input, infinite for one that it does not read, (features,).
        smoothness: The order nu: 3/2 is once differentiable, 5/2 twice.
    """

    amplitude: float
    scales: Array
    smoothness: Smoothness

    def between(self, rows: Array, others: Array) -> Array:
        """Kernel of two sets of inputs, (rows, features) and (others, features) to (rows, others).

        Distances are sums of squared differences, so that a row's values do not depend on the rows beside it.
        """
        read = np.isfinite(self.scales)
        a, b = rows[:, read] / self.scales[read], others[:, read] / self.scales[read]
        squares = np.zeros((len(a), len(b)))
        for position in range(a.shape[1]):
            squares += (a[:, None, position] - b[None, :, position]) ** 2
        return self.amplitude * matern(np.sqrt(squares), self.smoothness)

    def slopes(self, inputs: Array, weights: Array) -> tuple[float, Array]:
        """Derivatives of ``sum(weights * self.between(inputs, inputs))`` by log amplitude and each log scale.

        Args:
            inputs: (rows, features).
            weights: Symmetric, (rows, rows).
        """
        kernel = self.between(inputs, inputs)
        distance = np.sqrt(_squares(inputs / self.scales))
        radial = weights * self.amplitude * _radial_slope(distance, self.smoothness)
        scaled = inputs / self.scales
        by_scale = 2.0 * (scaled**2 * radial.sum(axis=1)[:, None] - scaled * (radial @ scaled)).sum(axis=0)
        return float((weights * kernel).sum()), by_scale


def matern(distance: Array, smoothness: Smoothness) -> Array:
    """The kernel of unit variance at scaled distances."""
    x = _ROOT[smoothness] * distance
    polynomial = 1.0 + x if smoothness == "3/2" else 1.0 + x + x**2 / 3.0
    return np.asarray(polynomial * np.exp(-x))


def _radial_slope(distance: Array, smoothness: Smoothness) -> Array:
    """What multiplies the squared scaled difference of one input in the derivative by its log scale."""
    x = _ROOT[smoothness] * distance
    return np.asarray(3.0 * np.exp(-x) if smoothness == "3/2" else 5.0 / 3.0 * (1.0 + x) * np.exp(-x))


def _squares(scaled: Array) -> Array:
    """Squared distances between all rows; quick, exact enough for slopes."""
    lengths = (scaled**2).sum(axis=1)
    return np.asarray(np.maximum(lengths[:, None] + lengths[None, :] - 2.0 * scaled @ scaled.T, 0.0))
