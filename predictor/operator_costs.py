"""What each operator costs on a target: measured where it was measured, estimated elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from hyctas.parts import Part
from predictor.gaussian_process import GaussianProcess, fit_gaussian_process
from predictor.part_features import log_features
from predictor.samples import OperatorSample

Source = Literal["measured", "estimated", "unknown"]
MIN_ROWS: Final = 20
"""Fewer measured operators do not teach anything about others."""


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """Seconds that an operator adds to a network, and where the number comes from."""

    cost_s: float
    source: Source


@dataclass(frozen=True, eq=False)
class OperatorCosts:
    """Costs of operators on one target.

    Attributes:
        measured: Seconds by part.
        estimator: Logarithm of the cost from a part's log features; None where too little was measured.
    """

    measured: Mapping[Part, float]
    estimator: GaussianProcess | None

    def cost(self, part: Part) -> OperatorCost:
        """Cost of `part`; zero with source ``unknown`` if nothing is known."""
        if (cost_s := self.measured.get(part)) is not None:
            return OperatorCost(cost_s, "measured")
        if self.estimator is None:
            return OperatorCost(0.0, "unknown")
        logarithm = self.estimator.predict(log_features(part)[None, :])[0]
        return OperatorCost(float(np.exp(logarithm)), "estimated")

    @property
    def known(self) -> bool:
        """Whether any cost is known at all."""
        return bool(self.measured)


def learn_operator_costs(samples: Iterable[OperatorSample], *, seed: int = 0) -> OperatorCosts:
    """Keep what was measured, and fit the estimator of the rest on log features (Matern 3/2)."""
    measured = {sample.part: sample.cost_s for sample in samples}
    return OperatorCosts(measured, _fit(tuple(measured.items()), seed) if len(measured) >= MIN_ROWS else None)


def _fit(rows: Sequence[tuple[Part, float]], seed: int) -> GaussianProcess:
    inputs = np.stack([log_features(part) for part, _ in rows])
    return fit_gaussian_process(inputs, np.log([cost_s for _, cost_s in rows]), seed=seed)
