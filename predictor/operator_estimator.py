"""Estimates of operators that were not measured: a law times what a Gaussian process says is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import ArtifactError
from hyctas.parts import Part
from predictor.gaussian_process import GaussianProcess, KernelPart, fit_gaussian_process
from predictor.operator_law import TERMS, fit_law, law_cost_s, stacked_terms
from predictor.part_features import KINDS, SHARED_LOG_FEATURES, log_features

Array = npt.NDArray[np.float64]

_LAW: Final = "law"
_SHARED: Final = len(SHARED_LOG_FEATURES)
KERNEL: Final = (
    KernelPart(tuple(range(_SHARED)), "5/2"),
    KernelPart(tuple(range(_SHARED + len(KINDS))), "3/2"),
)
"""What all kinds have in common, smooth; and what a kind has of its own, as far as it is unlike others.

The scale of a kind's column says how far it is from the others, so a kind with few rows learns from those like it.
"""


@dataclass(frozen=True, eq=False)
class OperatorEstimator:
    """Estimates costs of parts.

    Attributes:
        law: Weights of the terms of :mod:`predictor.operator_law`.
        remainder: Logarithm of cost over law, from a part's log features.
    """

    law: Array
    remainder: GaussianProcess

    def cost_s(self, parts: Sequence[Part]) -> Array:
        """Estimated seconds of at least one part, (parts,)."""
        inputs = np.stack([log_features(part) for part in parts])
        return np.asarray(law_cost_s(stacked_terms(parts), self.law) * np.exp(self.remainder.predict(inputs)))

    def arrays(self) -> dict[str, Array]:
        """The estimator as named arrays, for storage."""
        return {_LAW: self.law, **self.remainder.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> OperatorEstimator:
        """The estimator that :meth:`arrays` gave.

        Raises:
            ArtifactError: An array is missing, or the law or the process reads other features than this version's.
        """
        try:
            law, remainder = np.asarray(arrays[_LAW], np.float64), GaussianProcess.from_arrays(arrays)
        except KeyError as error:
            raise ArtifactError(f"estimator of operator costs: array {error} is missing; train again") from error
        if law.shape != (TERMS,):
            raise ArtifactError(f"estimator of operator costs: law of shape {law.shape}, not ({TERMS},); train again")
        features = _SHARED + len(KINDS)
        if remainder.centre.shape != (features,) or remainder.inputs.shape[1:] != (features,):
            raise ArtifactError(
                f"estimator of operator costs: its process reads {len(remainder.centre)} features, not {features}; "
                "train again"
            )
        return cls(law, remainder)


def fit_operator_estimator(measured: Mapping[Part, float], *, seed: int = 0) -> OperatorEstimator:
    """Fit the law to measured seconds by part, then the process to what it leaves; see :data:`KERNEL`."""
    terms, cost_s = stacked_terms(list(measured)), np.array(list(measured.values()))
    law = fit_law(terms, cost_s)
    inputs = np.stack([log_features(part) for part in measured])
    return OperatorEstimator(
        law, fit_gaussian_process(inputs, np.log(cost_s / law_cost_s(terms, law)), KERNEL, seed=seed)
    )
