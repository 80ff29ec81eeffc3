"""Borrowing: a few networks of a new target are enough where known targets resemble it, and nothing is lost if not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hyctas.architecture import Architecture
from hyctas.decomposition import decompose
from hyctas.errors import InsufficientData
from hyctas.parts import Part
from predictor.artifact import load_predictor, save_predictor
from predictor.evaluation import evaluate
from predictor.knowledge import Knowledge
from predictor.model import Predictor
from predictor.part_features import FEATURES, part_features
from predictor.samples import NetworkSample
from predictor.training import train
from predictor.transfer.lenders import MIN_NETWORKS, Lender, learn_lender
from tests.predictor import synthetic

Law = Callable[[Part], float]


def compute_s(part: Part) -> float:
    """A target bound by its arithmetic."""
    features = dict(zip(FEATURES, part_features(part), strict=True))
    macs = sum(value for name, value in features.items() if name.endswith("_macs"))
    return macs / 30e9 + 4e-6 * features["nodes"]


def memory_s(part: Part) -> float:
    """A target bound by its memory."""
    features = dict(zip(FEATURES, part_features(part), strict=True))
    return sum(value for name, value in features.items() if name.endswith("_bytes")) / 6e9 + 1e-6 * features["nodes"]


def between_s(part: Part) -> float:
    """A target in between."""
    return 0.6 * compute_s(part) + 0.9 * memory_s(part)


def samples(law: Law, count: int, *, seed: int, calibrates: bool = True) -> list[NetworkSample]:
    networks = [sample.architecture for sample in synthetic.networks(count, seed=seed)]
    noise = np.exp(0.01 * np.random.default_rng(seed).standard_normal(count))
    return [NetworkSample(a, latency_s(law, a) * float(n), calibrates) for a, n in zip(networks, noise, strict=True)]


def latency_s(law: Law, network: Architecture) -> float:
    return sum(law(placed.part) for placed in decompose(network).parts)


@pytest.fixture(scope="module")
def lenders() -> list[Lender]:
    """Two known targets, neither like the one in between."""
    return [
        learn_lender("known/compute", samples(compute_s, 60, seed=1), []),
        learn_lender("known/memory", samples(memory_s, 60, seed=2), []),
    ]


@pytest.fixture(scope="module")
def borrowed(lenders: list[Lender]) -> Knowledge:
    """Ten networks of the target in between."""
    return train("new/between", samples(between_s, 10, seed=3), [], lenders=lenders)


@pytest.fixture(scope="module")
def unseen() -> list[NetworkSample]:
    return samples(between_s, 80, seed=9)


def test_lender_lends_what_parts_add_to_networks(lenders: list[Lender]) -> None:
    networks = [sample.architecture for sample in synthetic.networks(20, seed=8)]
    lent_s = [sum(lenders[0].cost(p.part).cost_s for p in decompose(network).parts) for network in networks]
    assert lent_s == pytest.approx([latency_s(compute_s, network) for network in networks], rel=0.05)


def test_ten_networks_and_two_lenders_predict_well(borrowed: Knowledge, unseen: list[NetworkSample]) -> None:
    scores = evaluate(Predictor(borrowed, "m"), unseen).scores
    assert scores.mape < 0.04 and scores.spearman > 0.99
    weights = borrowed.facts["borrowed"]
    assert isinstance(weights, dict) and weights.keys() == {"known/compute", "known/memory"}


def test_borrowing_beats_ten_networks_alone(borrowed: Knowledge, unseen: list[NetworkSample]) -> None:
    alone = train("new/between", samples(between_s, 10, seed=3), [])
    errors = [evaluate(Predictor(k, "m"), unseen).scores.mape for k in (borrowed, alone)]
    assert errors[0] < 0.7 * errors[1]


def test_four_networks_are_enough_with_lenders_and_too_few_without(
    lenders: list[Lender], unseen: list[NetworkSample]
) -> None:
    four = samples(between_s, 4, seed=3)
    assert evaluate(Predictor(train("new/between", four, [], lenders=lenders), "m"), unseen).scores.mape < 0.15
    with pytest.raises(InsufficientData, match="at least 10"):
        train("new/between", four, [])
    with pytest.raises(InsufficientData, match="at least 4"):
        train("new/between", four[:3], [], lenders=lenders)


@pytest.mark.slow
def test_lenders_that_teach_nothing_are_not_borrowed_from(unseen: list[NetworkSample]) -> None:
    rng = np.random.default_rng(0)
    random = [NetworkSample(s.architecture, float(np.exp(rng.normal(-5, 1)))) for s in samples(compute_s, 30, seed=1)]
    known = samples(between_s, 60, seed=4)
    knowledge = train("new/between", known, [], lenders=[learn_lender("known/random", random, [])])
    assert "borrowed" not in knowledge.facts
    assert evaluate(Predictor(knowledge, "m"), unseen).scores.mape < 0.03


def test_chosen_networks_calibrate_no_interval_where_costs_are_borrowed(lenders: list[Lender]) -> None:
    drawn = samples(between_s, 12, seed=3)
    slow = [NetworkSample(s.architecture, 1.5 * s.latency_s, calibrates=False) for s in samples(between_s, 3, seed=5)]
    knowledge = train("new/between", [*drawn, *slow], [], lenders=lenders)
    assert knowledge.intervals.networks == 12
    assert knowledge.expected_error is not None and knowledge.expected_error.networks == 12


def test_borrowed_model_is_stored_and_answers_the_same(
    borrowed: Knowledge, unseen: list[NetworkSample], tmp_path
) -> None:
    networks = [sample.architecture for sample in unseen[:10]]
    loaded = load_predictor(save_predictor(borrowed, tmp_path))
    assert loaded.predict(networks, breakdown=True) == Predictor(borrowed, loaded.model_id).predict(
        networks, breakdown=True
    )
    assert {c.source for p in loaded.predict(networks, breakdown=True) for c in p.breakdown} == {"estimated"}
    assert loaded.knowledge.costs.borrowed and not loaded.knowledge.costs.measured


def test_lender_needs_networks() -> None:
    with pytest.raises(InsufficientData, match=f"at least {MIN_NETWORKS}"):
        learn_lender("known/few", samples(compute_s, MIN_NETWORKS - 1, seed=1), [])
