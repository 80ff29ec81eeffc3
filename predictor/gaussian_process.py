"""Gaussian process regression on a few hundred to a few thousand rows, kept as plain arrays.

The kernel is a sum of Matern kernels. Its amplitudes, length scales and the noise are the most probable ones: maximum
marginal likelihood under wide priors, which hold back the many scales where rows are few. The fitted process is a few
arrays, so that it is stored without pickle and evaluated with numpy alone.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

from predictor.matern import Component, Smoothness

Array = npt.NDArray[np.float64]
MAX_ROWS: Final = 1000
"""Fitting costs the cube of the rows; of more, a random subset is kept."""
MAX_TUNING_ROWS: Final = 300
"""On these the kernel is chosen, which costs a hundred fits or so."""
MAX_STEPS: Final = 60
_ORDERS: Final[Mapping[Smoothness, float]] = {"3/2": 1.5, "5/2": 2.5}
_JITTER: Final = 1e-8
_LOG_NOISE: Final = (np.log(1e-6), np.log(0.1))
_LOG_SCALE: Final = (np.log(0.05), np.log(1e3))
_LOG_AMPLITUDE_RANGE: Final = 8.0
_WIDE: Final = 3.0
"""Standard deviation of the priors of log noise and log amplitudes; that of log scales is 1."""
_TYPICAL_LOG_NOISE: Final = np.log(1e-3)


@dataclass(frozen=True, slots=True)
class KernelPart:
    """The form of one component of a kernel, before it is fitted.

    Attributes:
        columns: The inputs that it reads.
        smoothness: Order of the Matern kernel.
    """

    columns: tuple[int, ...]
    smoothness: Smoothness


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process on standardised inputs.

    Attributes:
        centre: Mean of each input.
        spread: Standard deviation of each input, 1 for one without any.
        inputs: Standardised training inputs, (rows, features).
        coefficients: Weights of the kernel values, (rows,).
        components: The kernel, as a sum.
        noise: Variance of the noise.
        mean: Mean of the target.
    """

    centre: Array
    spread: Array
    inputs: Array
    coefficients: Array
    components: tuple[Component, ...]
    noise: float
    mean: float

    def arrays(self) -> dict[str, Array]:
        """The process as named arrays, for storage."""
        return {
            "centre": self.centre,
            "spread": self.spread,
            "inputs": self.inputs,
            "coefficients": self.coefficients,
            "amplitudes": np.array([component.amplitude for component in self.components]),
            "scales": np.stack([component.scales for component in self.components]),
            "smoothness": np.array([_ORDERS[component.smoothness] for component in self.components]),
            "noise": np.asarray(self.noise),
            "mean": np.asarray(self.mean),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> GaussianProcess:
        """The process that :meth:`arrays` gave.

        Raises:
            KeyError: An array is missing, or a smoothness is unknown.
        """
        columns = (arrays["amplitudes"], arrays["scales"], arrays["smoothness"])
        smoothness_of: dict[float, Smoothness] = {order: name for name, order in _ORDERS.items()}
        return cls(
            centre=np.asarray(arrays["centre"], np.float64),
            spread=np.asarray(arrays["spread"], np.float64),
            inputs=np.asarray(arrays["inputs"], np.float64),
            coefficients=np.asarray(arrays["coefficients"], np.float64),
            components=tuple(
                Component(float(amplitude), np.asarray(scales, np.float64), smoothness_of[float(order)])
                for amplitude, scales, order in zip(*columns, strict=True)
            ),
            noise=float(arrays["noise"]),
            mean=float(arrays["mean"]),
        )

    def predict(self, inputs: Array) -> Array:
        """Posterior mean at `inputs`, (rows, features) to (rows,)."""
        kernel = _kernel(self.components, (inputs - self.centre) / self.spread, self.inputs)
        return np.asarray((kernel * self.coefficients).sum(axis=1) + self.mean)


def fit_gaussian_process(
    inputs: Array, targets: Array, kernel: Sequence[KernelPart] | None = None, *, seed: int = 0
) -> GaussianProcess:
    """Fit a process with noise to (rows, features) and (rows,).

    Args:
        inputs: What to predict from; columns without spread do not matter.
        targets: What to predict.
        kernel: The form of the kernel; None takes one Matern 3/2 of all inputs.
        seed: Chooses rows where there are more than :data:`MAX_ROWS` or :data:`MAX_TUNING_ROWS`.
    """
    rows = np.random.default_rng(seed).permutation(len(targets))[:MAX_ROWS]
    inputs, targets = inputs[rows], targets[rows]
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    standardised, mean = (inputs - centre) / spread, float(targets.mean())
    form = tuple(kernel) if kernel is not None else (KernelPart(tuple(range(inputs.shape[1])), "3/2"),)
    few = slice(MAX_TUNING_ROWS)
    components, noise = _tuned(_Evidence(standardised[few], targets[few] - mean, form))
    covariance = _with_noise(_kernel(components, standardised, standardised), noise)
    coefficients = cho_solve(cho_factor(covariance, lower=True), targets - mean)
    return GaussianProcess(centre, spread, standardised, np.asarray(coefficients), components, noise, mean)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """How improbable numbers of a kernel are, given rows; a point is log noise, then log amplitude and scales each."""

    inputs: Array
    targets: Array
    form: tuple[KernelPart, ...]

    @property
    def log_variance(self) -> float:
        return float(np.log(max(float(self.targets.var()), 1e-12)))

    def expected(self) -> Array:
        """Mean of the prior, and where the search starts: a share of the variance each, distances of about 1."""
        parts = [[self.log_variance, *[np.log(len(p.columns)) / 2.0] * len(p.columns)] for p in self.form]
        return np.array([_TYPICAL_LOG_NOISE, *(value for part in parts for value in part)])

    def widths(self) -> Array:
        """Standard deviations of the prior."""
        return np.array([_WIDE, *(value for p in self.form for value in (_WIDE, *[1.0] * len(p.columns)))])

    def bounds(self) -> list[tuple[float, float]]:
        amplitude = (self.log_variance - _LOG_AMPLITUDE_RANGE, self.log_variance + _LOG_AMPLITUDE_RANGE)
        return [_LOG_NOISE, *(b for p in self.form for b in (amplitude, *[_LOG_SCALE] * len(p.columns)))]

    def components(self, point: Array) -> tuple[Component, ...]:
        found, place = [], 1
        for part in self.form:
            scales = np.full(self.inputs.shape[1], np.inf)
            scales[list(part.columns)] = np.exp(point[place + 1 : place + 1 + len(part.columns)])
            found.append(Component(float(np.exp(point[place])), scales, part.smoothness))
            place += 1 + len(part.columns)
        return tuple(found)

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Negative log posterior of a point, and its slope."""
        components, noise = self.components(point), float(np.exp(point[0]))
        distance = (point - self.expected()) / self.widths()
        try:
            factor = cho_factor(_with_noise(_kernel(components, self.inputs, self.inputs), noise), lower=True)
        except LinAlgError:
            return 1e12, np.zeros(len(point))
        inverse = cho_solve(factor, np.eye(len(self.targets)))
        solved = inverse @ self.targets
        value = 0.5 * float(self.targets @ solved) + float(np.log(np.diagonal(factor[0])).sum())
        weights = 0.5 * (inverse - np.outer(solved, solved))
        slopes = [noise * float(np.trace(weights))]
        for component, part in zip(components, self.form, strict=True):
            by_amplitude, by_scale = component.slopes(self.inputs, weights)
            slopes += [by_amplitude, *by_scale[list(part.columns)]]
        return value + 0.5 * float(distance @ distance), np.array(slopes) + distance / self.widths()


def _tuned(evidence: _Evidence) -> tuple[tuple[Component, ...], float]:
    """The most probable kernel and noise."""
    found = minimize(
        evidence,
        evidence.expected(),
        jac=True,
        method="L-BFGS-B",
        bounds=evidence.bounds(),
        options={"maxiter": MAX_STEPS},
    )
    return evidence.components(found.x), float(np.exp(found.x[0]))


def _kernel(components: Sequence[Component], rows: Array, others: Array) -> Array:
    total = np.zeros((len(rows), len(others)))
    for component in components:
        total += component.between(rows, others)
    return total


def _with_noise(kernel: Array, noise: float) -> Array:
    return kernel + (noise + _JITTER) * np.eye(len(kernel))
