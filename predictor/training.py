"""Training: from measurements of one target to what a predictor knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from hyctas.errors import InsufficientData
from hyctas.prediction import ExpectedError
from predictor.intervals import calibrate_intervals, uncalibrated
from predictor.knowledge import Knowledge, TrainedRange
from predictor.learning import Choice, Latency, choose, learn, out_of_fold
from predictor.metrics import score
from predictor.model import Predictor
from predictor.operator_costs import OperatorCosts, learn_operator_costs
from predictor.prior import operator_sum
from predictor.samples import NetworkSample, OperatorSample

Array = npt.NDArray[np.float64]

HELD_OUT_SHARE: Final = 0.2
"""Share of the networks that are not learned from, but scored on."""
MIN_NETWORKS: Final = 10
"""Fewer measured networks cannot say how wrong a prediction is."""


def train(
    target: str,
    networks: Sequence[NetworkSample],
    operators: Sequence[OperatorSample],
    *,
    free_kinds: Collection[str] = (),
    seed: int = 0,
    facts: Mapping[str, object] | None = None,
) -> Knowledge:
    """Learn the latency of networks on `target`.

    With networks, end-to-end latency is learned on top of operator costs; with operators alone, their sum is all
    there is. Equal samples and seeds give equal knowledge.

    Args:
        target: Full name of the target.
        networks: Measured networks; none, or at least 10.
        operators: Measured operators; may be empty if there are networks.
        free_kinds: Kinds of operators that a published table among them counts nothing for.
        seed: For folds and boosting.
        facts: What else to keep about the training, for people.

    Raises:
        InsufficientData: There is neither an operator nor enough networks.
    """
    if len(networks) < MIN_NETWORKS and (networks or not operators):
        raise InsufficientData(
            f"{target}: {len(networks)} measured networks and {len(operators)} operators; at least {MIN_NETWORKS} "
            "networks are needed, or operators alone: run 'hyctas profile networks' or 'hyctas profile operators'"
        )
    costs = learn_operator_costs(operators, free_kinds=free_kinds, seed=seed)
    chosen = sum(not sample.calibrates for sample in networks)
    counts = {"networks": len(networks), "chosen_networks": chosen, "operators": len(operators), "seed": seed}
    if not networks:
        additive = Latency(operator_sum(), None)
        return Knowledge(target, costs, additive, None, uncalibrated(), None, {**(facts or {}), **counts})
    return _learn_networks(target, networks, costs, seed, {**(facts or {}), **counts})


def _learn_networks(
    target: str, networks: Sequence[NetworkSample], costs: OperatorCosts, seed: int, facts: Mapping[str, object]
) -> Knowledge:
    rng = np.random.default_rng(seed)
    features = network_features(target, costs, [sample.architecture for sample in networks])
    latency_s = np.array([sample.latency_s for sample in networks])
    choice = choose(features, latency_s, rng=rng)
    latency = learn(features, latency_s, choice, rng=rng)
    left_out_s = out_of_fold(features, latency_s, choice, rng=rng)
    calibrating = np.array([sample.calibrates for sample in networks])
    branches = [len(sample.architecture.branches) for sample in networks if sample.calibrates]
    scores = np.abs(np.log(latency_s / left_out_s))[calibrating]
    return Knowledge(
        target=target,
        costs=costs,
        latency=latency,
        trained=_trained_range(networks, latency.prior.latency_s(features)),
        intervals=calibrate_intervals(scores, branches),
        expected_error=_expected_error(left_out_s[calibrating], latency_s[calibrating]),
        facts={**facts, **_described(choice)},
    )


def network_features(target: str, costs: OperatorCosts, networks: Sequence[Architecture]) -> Array:
    """Additive features of networks under these operator costs, (networks, columns)."""
    additive = Knowledge(target, costs, Latency(operator_sum(), None), None, uncalibrated(), None)
    return Predictor(additive, model_id="training").features(networks)


def _trained_range(networks: Sequence[NetworkSample], additive_s: Array) -> TrainedRange:
    return TrainedRange(
        settings=frozenset(sample.architecture.settings for sample in networks),
        latency_s=(float(additive_s.min()), float(additive_s.max())),
        branches=frozenset(len(sample.architecture.branches) for sample in networks),
    )


def _expected_error(predicted_s: Array, measured_s: Array) -> ExpectedError | None:
    """Error on left-out networks; None if no network may calibrate."""
    if not len(measured_s):
        return None
    found = score(predicted_s, measured_s)
    return ExpectedError(found.mape, found.within_5, found.within_10, found.networks)


def _described(choice: Choice) -> Mapping[str, object]:
    boosting = choice.boosting
    trees = None if boosting is None else {"rounds": boosting.rounds, "depth": boosting.depth}
    return {"prior_strength": choice.strength, "correction": trees}
