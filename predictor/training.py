"""Training: from measurements of one target to what a predictor knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from predictor.transfer.borrowing import MIN_BORROWING, Borrowed, borrow
from predictor.transfer.lenders import Lender

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
    lenders: Sequence[Lender] = (),
    seed: int = 0,
    facts: Mapping[str, object] | None = None,
) -> Knowledge:
    """Learn the latency of networks on `target`.

    With networks, end-to-end latency is learned on top of operator costs; with operators alone, their sum is all
    there is. Where networks that were left out are predicted better with what lenders say parts cost, those costs
    are taken. Equal samples and seeds give equal knowledge.

    Args:
        target: Full name of the target.
        networks: Measured networks; none, or at least 10 (4 with lenders).
        operators: Measured operators; may be empty if there are networks.
        free_kinds: Kinds of operators that a published table among them counts nothing for.
        lenders: Other targets that are known already.
        seed: For folds and boosting.
        facts: What else to keep about the training, for people.

    Raises:
        InsufficientData: There is neither an operator nor enough networks.
    """
    needed = MIN_BORROWING if lenders else MIN_NETWORKS
    if len(networks) < needed and (networks or not operators):
        raise InsufficientData(
            f"{target}: {len(networks)} measured networks and {len(operators)} operators; at least {needed} "
            "networks are needed, or operators alone: run 'hyctas profile networks' or 'hyctas profile operators'"
        )
    costs = learn_operator_costs(operators, free_kinds=free_kinds, seed=seed)
    chosen = sum(not sample.calibrates for sample in networks)
    counts = {"networks": len(networks), "chosen_networks": chosen, "operators": len(operators), "seed": seed}
    if not networks:
        additive = Latency(operator_sum(), None)
        return Knowledge(target, costs, additive, None, uncalibrated(), None, {**(facts or {}), **counts})
    ways = [_learn_alone(target, networks, costs, seed)] if len(networks) >= MIN_NETWORKS else []
    ways += [_learn_borrowing(networks, costs, lenders, seed)] if lenders else []
    return _known(target, networks, min(ways, key=lambda way: way.error), {**(facts or {}), **counts})


@dataclass(frozen=True, eq=False)
class _Learned:
    """One way to learn the latency of some networks, and how it did.

    Attributes:
        costs: Operator costs.
        latency: The end-to-end model.
        left_out_s: Latency of each network as learned without it, in seconds.
        additive_s: Its additive latency.
        error: Root mean square of the log-ratio of measured to left-out latency.
        facts: What was chosen.
    """

    costs: OperatorCosts
    latency: Latency
    left_out_s: Array
    additive_s: Array
    error: float
    facts: Mapping[str, object]


def _learn_alone(target: str, networks: Sequence[NetworkSample], costs: OperatorCosts, seed: int) -> _Learned:
    """Learn from the target's own measurements."""
    rng = np.random.default_rng(seed)
    features = network_features(target, costs, [sample.architecture for sample in networks])
    latency_s = _latencies(networks)
    choice = choose(features, latency_s, rng=rng)
    latency = learn(features, latency_s, choice, rng=rng)
    left_out_s = out_of_fold(features, latency_s, choice, rng=rng)
    additive_s = latency.prior.latency_s(features)
    return _Learned(costs, latency, left_out_s, additive_s, _log_error(left_out_s, latency_s), _described(choice))


def _learn_borrowing(
    networks: Sequence[NetworkSample], costs: OperatorCosts, lenders: Sequence[Lender], seed: int
) -> _Learned:
    """Learn on top of what lenders say parts cost."""
    found: Borrowed = borrow(networks, costs, lenders, seed=seed)
    facts = {**_described(found.choice), "borrowed": dict(found.shares)}
    error = _log_error(found.left_out_s, _latencies(networks))
    return _Learned(found.costs, found.latency, found.left_out_s, found.additive_s, error, facts)


def _known(target: str, networks: Sequence[NetworkSample], learned: _Learned, facts: Mapping[str, object]) -> Knowledge:
    latency_s = _latencies(networks)
    calibrating = np.array([sample.calibrates for sample in networks])
    branches = [len(sample.architecture.branches) for sample in networks if sample.calibrates]
    scores = np.abs(np.log(latency_s / learned.left_out_s))[calibrating]
    return Knowledge(
        target=target,
        costs=learned.costs,
        latency=learned.latency,
        trained=_trained_range(networks, learned.additive_s),
        intervals=calibrate_intervals(scores, branches),
        expected_error=_expected_error(learned.left_out_s[calibrating], latency_s[calibrating]),
        facts={**facts, **learned.facts},
    )


def _latencies(networks: Sequence[NetworkSample]) -> Array:
    return np.array([sample.latency_s for sample in networks])


def _log_error(predicted_s: Array, measured_s: Array) -> float:
    return float(np.sqrt(np.mean(np.log(measured_s / predicted_s) ** 2)))


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
