"""Gaussian process regression on a few hundred to a few thousand rows, kept as plain arrays.

scikit-learn finds the kernel's scales; the fitted process is a few arrays and numbers, so that it is stored without
pickle and evaluated with numpy alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MAX_ROWS: Final = 1000
"""Fitting costs the cube of the rows; of more, a random subset is kept."""
MAX_TUNING_ROWS: Final = 300
"""Of these the kernel is chosen, which costs a hundred fits or so."""
_SQRT_3: Final = 3.0**0.5


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process with a Matern 3/2 kernel on standardised inputs.

    Attributes:
        centre: Mean of each input.
        scale: Standard deviation of each input times the length scale of the kernel.
        inputs: Standardised training inputs, (rows, features).
        coefficients: Weights of the kernel values, (rows,).
        amplitude: Variance of the kernel.
        mean: Mean of the target.
    """

    centre: Array
    scale: Array
    inputs: Array
    coefficients: Array
    amplitude: float
    mean: float

    def arrays(self) -> dict[str, Array]:
        """The process as named arrays, for storage."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> GaussianProcess:
        """The process that :meth:`arrays` gave.

        Raises:
            KeyError: An array is missing.
        """
        return cls(
            centre=np.asarray(arrays["centre"], np.float64),
            scale=np.asarray(arrays["scale"], np.float64),
            inputs=np.asarray(arrays["inputs"], np.float64),
            coefficients=np.asarray(arrays["coefficients"], np.float64),
            amplitude=float(arrays["amplitude"]),
            mean=float(arrays["mean"]),
        )

    def predict(self, inputs: Array) -> Array:
        """Posterior mean at `inputs`, (rows, features) to (rows,)."""
        standardised = (inputs - self.centre) / self.scale
        squares = ((standardised[:, None, :] - self.inputs[None, :, :]) ** 2).sum(axis=2)
        distance = _SQRT_3 * np.sqrt(squares)
        kernel = self.amplitude * (1.0 + distance) * np.exp(-distance)
        return np.asarray(kernel @ self.coefficients + self.mean)


def fit_gaussian_process(inputs: Array, targets: Array, *, seed: int = 0) -> GaussianProcess:
    """Fit a process to (rows, features) and (rows,): Matern 3/2 plus noise, by maximum marginal likelihood.

    Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 4.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rows = np.random.default_rng(seed).permutation(len(targets))[:MAX_ROWS]
    inputs, targets = inputs[rows], targets[rows]
    spread = inputs.std(axis=0)
    centre, spread = inputs.mean(axis=0), np.where(spread > 0.0, spread, 1.0)
    kernel = ConstantKernel(1.0, (1e-3, 1e6)) * Matern(3.0, (1e-1, 1e3), nu=1.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    inputs, mean = (inputs - centre) / spread, targets.mean()
    with warnings.catch_warnings():
        # A scale at its bound (noise-free data, an input that does not matter) is a fit like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = slice(MAX_TUNING_ROWS)
        tuned = GaussianProcessRegressor(kernel, random_state=seed).fit(inputs[few], targets[few] - mean)
    process = GaussianProcessRegressor(tuned.kernel_, optimizer=None).fit(inputs, targets - mean)
    signal = process.kernel_.k1
    length = float(signal.k2.length_scale)
    return GaussianProcess(
        centre=centre,
        scale=spread * length,
        inputs=inputs / length,
        coefficients=np.asarray(process.alpha_, dtype=np.float64).ravel(),
        amplitude=float(signal.k1.constant_value),
        mean=float(mean),
    )
