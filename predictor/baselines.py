"""Three plain predictors that any real one must beat: MACs alone, the sum of operators, one-hot boosting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from hyctas.cell import OPERATORS, SCALES, WIDTHS
from predictor.operator_costs import OperatorCosts
from predictor.part_table import COLUMNS, COST_COLUMNS, PER_KIND
from predictor.samples import NetworkSample
from predictor.training import network_features

Array = npt.NDArray[np.float64]
Baseline = Callable[[Sequence[NetworkSample], Sequence[Architecture], OperatorCosts], Array]
"""Training networks, networks to predict, operator costs; gives seconds, (networks,)."""

_MACS_COLUMNS: Final = tuple(column + PER_KIND.index("gmacs") for column in COST_COLUMNS)
_CHOICES: Final = (*OPERATORS, *WIDTHS, None, "stay", "down")
"""One column each at every position: operators, widths (None at the end of a branch), staying or going down."""


def macs_only(training: Sequence[NetworkSample], networks: Sequence[Architecture], costs: OperatorCosts) -> Array:
    """A constant plus a constant times multiply-accumulates, by least squares on relative errors."""
    return _linear(training, networks, costs, _MACS_COLUMNS, constant=True)


def operator_sum(training: Sequence[NetworkSample], networks: Sequence[Architecture], costs: OperatorCosts) -> Array:
    """The sum of operator costs times one constant, by least squares on relative errors."""
    return _linear(training, networks, costs, COST_COLUMNS, constant=False)


def one_hot_boosting(
    training: Sequence[NetworkSample], networks: Sequence[Architecture], costs: OperatorCosts
) -> Array:
    """XGBoost with its default settings on the one-hot encoded cells of each branch, logarithm of the latency."""
    import xgboost

    positions = max(len(branch.cells) for a in (*_architectures(training), *networks) for branch in a.branches)
    known = np.stack([one_hot(architecture, positions) for architecture in _architectures(training)])
    wanted = np.stack([one_hot(architecture, positions) for architecture in networks])
    booster = xgboost.train(
        {"nthread": 1, "seed": 0}, xgboost.DMatrix(known, label=np.log(_latencies(training))), num_boost_round=100
    )
    return np.asarray(np.exp(booster.predict(xgboost.DMatrix(wanted)).astype(np.float64)))


BASELINES: Final[Mapping[str, Baseline]] = MappingProxyType(
    {"macs_only": macs_only, "operator_sum": operator_sum, "one_hot_boosting": one_hot_boosting}
)


def one_hot(architecture: Architecture, positions: int) -> Array:
    """For each last scale and position, which operator stands there, how wide, and whether it goes down.

    Operators, widths and the downs have columns of their own, not one for each form of cell: with so few networks the
    forms would be too many to learn anything from.
    """
    encoded = np.zeros((len(SCALES), positions, len(_CHOICES)))
    for branch in architecture.branches:
        for position, cell in enumerate(branch.cells[:positions]):
            chosen = encoded[branch.last_scale, position]
            for choice in (cell.op, cell.width, "down" if cell.down else "stay"):
                chosen[_CHOICES.index(choice)] = 1.0
    return encoded.ravel()


def _linear(
    training: Sequence[NetworkSample],
    networks: Sequence[Architecture],
    costs: OperatorCosts,
    columns: Sequence[int],
    *,
    constant: bool,
) -> Array:
    """Fit and predict from the sum of some additive columns."""
    known = _design(_architectures(training), costs, columns, constant=constant)
    latency_s = _latencies(training)
    weights, *_ = np.linalg.lstsq(known / latency_s[:, None], np.ones(len(latency_s)), rcond=None)
    return np.asarray(_design(networks, costs, columns, constant=constant) @ weights)


def _design(networks: Sequence[Architecture], costs: OperatorCosts, columns: Sequence[int], *, constant: bool) -> Array:
    features = network_features("baseline", costs, networks)
    assert features.shape[1] == len(COLUMNS)
    total = features[:, list(columns)].sum(axis=1)
    return np.column_stack([total, np.ones(len(total))]) if constant else total[:, None]


def _architectures(samples: Sequence[NetworkSample]) -> list[Architecture]:
    return [sample.architecture for sample in samples]


def _latencies(samples: Sequence[NetworkSample]) -> Array:
    return np.array([sample.latency_s for sample in samples])
