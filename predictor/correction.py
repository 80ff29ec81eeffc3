"""The correction: boosted trees on the logarithm of measured over additive latency. It may be nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from predictor.part_table import COLUMNS, COST_COLUMNS, OVERALL, PER_KIND
from predictor.prior import AdditivePrior, fold_numbers
from predictor.trees import Trees, parse_trees

Array = npt.NDArray[np.float64]

MIN_NETWORKS: Final = 40
"""With fewer there is nothing to learn that the prior does not know."""
MIN_GAIN: Final = 0.03
"""Share of the left-out squared error that a correction must take away, or there is none."""
ROUNDS: Final = (40, 100, 200)
DEPTHS: Final = (2, 3)
_BOOSTING: Final = {
    "objective": "reg:squarederror",
    "base_score": 0.0,
    "learning_rate": 0.05,
    "min_child_weight": 5.0,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "reg_lambda": 5.0,
    "tree_method": "exact",
    "nthread": 1,
}
_COUNT_COLUMNS: Final = tuple(column + PER_KIND.index("count") for column in COST_COLUMNS)
_NODES_COLUMN: Final = len(COLUMNS) - len(OVERALL) + OVERALL.index("nodes")


@dataclass(frozen=True, slots=True)
class Boosting:
    """How much to boost."""

    rounds: int
    depth: int
    seed: int


@dataclass(frozen=True, eq=False)
class Correction:
    """A factor on the additive latency.

    Attributes:
        booster: The booster in XGBoost's JSON format: what is stored.
        trees: The same for evaluation.
    """

    booster: bytes
    trees: Trees

    @classmethod
    def from_booster(cls, booster: bytes) -> Correction:
        """Read a stored booster.

        Raises:
            ArtifactError: The data is not a booster.
        """
        return cls(booster, parse_trees(booster))

    def log_factor(self, inputs: Array) -> Array:
        """Logarithm of the factor, from :func:`correction_inputs`."""
        return self.trees.predict(inputs)


def correction_inputs(features: Array, prior: AdditivePrior) -> Array:
    """What the trees see of networks: log of the prior, shares of it by kind, counts by kind, nodes.

    Args:
        features: Sums over parts, (networks, columns).
        prior: The prior that is corrected.

    Returns:
        (networks, inputs).
    """
    latency_s = prior.latency_s(features)
    by_column = features * prior.weights
    by_kind = np.add.reduceat(by_column[:, : -len(OVERALL)], COST_COLUMNS, axis=1)
    shares = by_kind / latency_s[:, None]
    return np.column_stack([np.log(latency_s), shares, features[:, _COUNT_COLUMNS], features[:, _NODES_COLUMN]])


def choose_boosting(inputs: Array, log_ratio: Array, *, rng: np.random.Generator) -> Boosting | None:
    """The setting that helps most on left-out folds, or None where none helps enough.

    Args:
        inputs: Of :func:`correction_inputs`.
        log_ratio: Log of measured latency over the out-of-fold prior, (networks,).
        rng: Draws folds and the seed.
    """
    if len(log_ratio) < MIN_NETWORKS:
        return None
    folds = np.asarray(fold_numbers(len(log_ratio), rng))
    seed = int(rng.integers(2**31))
    settings = [Boosting(rounds, depth, seed) for depth in DEPTHS for rounds in ROUNDS]
    errors = [_left_out_error(inputs, log_ratio, folds, setting) for setting in settings]
    best = int(np.argmin(errors))
    helps = errors[best] < (1.0 - MIN_GAIN) * float((log_ratio**2).mean())
    return settings[best] if helps else None


def fit_correction(inputs: Array, log_ratio: Array, boosting: Boosting) -> Correction:
    """Boost the log-ratio."""
    import xgboost

    data = xgboost.DMatrix(inputs.astype(np.float32), label=log_ratio)
    parameters = {**_BOOSTING, "max_depth": boosting.depth, "seed": boosting.seed}
    booster = xgboost.train(parameters, data, num_boost_round=boosting.rounds)
    return Correction.from_booster(bytes(booster.save_raw("json")))


def _left_out_error(inputs: Array, log_ratio: Array, folds: npt.NDArray[np.int64], boosting: Boosting) -> float:
    residual = np.empty_like(log_ratio)
    for fold in np.unique(folds):
        left_out = folds == fold
        correction = fit_correction(inputs[~left_out], log_ratio[~left_out], boosting)
        residual[left_out] = log_ratio[left_out] - correction.log_factor(inputs[left_out])
    return float((residual**2).mean())
