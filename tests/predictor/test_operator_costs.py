"""Operator costs: measured where measured, marginal or scaled to it, estimated elsewhere."""

import numpy as np
import pytest

from hyctas.parts import Part
from predictor.operator_costs import (
    MIN_CHAINED,
    MIN_ROWS,
    SHARE_RANGE,
    OperatorCost,
    learn_operator_costs,
    marginal_shares,
)
from predictor.samples import OperatorSample
from tests.predictor import synthetic


def test_measured_cost_is_kept_and_the_rest_is_estimated_closely():
    samples = synthetic.operators()
    known, unseen = samples[:300], samples[300:400]
    found = learn_operator_costs(known)
    assert found.cost(known[0].part).source == "measured"
    assert found.cost(known[0].part).cost_s == known[0].latency_s
    guesses = [found.cost(sample.part) for sample in unseen]
    assert {guess.source for guess in guesses} == {"estimated"}
    errors = [abs(g.cost_s / s.latency_s - 1) for g, s in zip(guesses, unseen, strict=True)]
    assert np.mean(errors) < 0.01


def test_too_few_operators_estimate_nothing():
    samples = synthetic.operators()
    found = learn_operator_costs(samples[: MIN_ROWS - 1])
    assert found.cost(samples[-1].part).source == "unknown"
    assert found.cost(samples[-1].part).cost_s == 0.0


def test_no_operators_are_no_knowledge():
    assert not learn_operator_costs([]).known
    assert learn_operator_costs(synthetic.operators()[:1]).known


@pytest.mark.parametrize(("marginal_s", "kept"), [(0.7, True), (0.05, False), (-0.2, False), (3.0, False)])
def test_implausible_marginal_latency_is_not_believed(marginal_s, kept):
    part = synthetic.operators()[0].part
    assert OperatorSample(part, 1.0, marginal_s).plausible_marginal_s == (marginal_s if kept else None)
    assert OperatorSample(part, 1.0).plausible_marginal_s is None


def chained(kind: str, shares: list[float]) -> list[OperatorSample]:
    """Operators of a kind that add these shares of their latency alone, and one of it that was not chained."""
    parts = [sample.part for sample in synthetic.operators() if sample.part.kind == kind]
    samples = [OperatorSample(part, 2.0, 2.0 * share) for part, share in zip(parts, shares, strict=False)]
    return [*samples, OperatorSample(parts[len(shares)], 3.0)]


def test_operator_that_was_not_chained_adds_what_its_kind_adds():
    skips, convs = chained("skip", [0.6, 0.7, 0.9]), chained("conv", [0.95, 0.97, 0.99])
    found = learn_operator_costs([*skips, *convs])
    assert found.cost(skips[0].part).cost_s == pytest.approx(1.2)
    assert found.cost(skips[-1].part).cost_s == pytest.approx(3.0 * 0.7)
    assert found.cost(convs[-1].part).cost_s == pytest.approx(3.0 * 0.97)
    assert found.cost(skips[-1].part).source == "measured"


def test_kind_with_few_chained_operators_adds_what_all_kinds_add():
    few = chained("sa", [0.5] * (MIN_CHAINED - 1))
    by_kind, of_others = marginal_shares([*few, *chained("conv", [0.9, 0.9, 0.9])])
    assert set(by_kind) == {"conv"}
    assert of_others == pytest.approx(0.9)


def test_shares_stay_in_their_range_and_are_one_where_nothing_was_chained():
    by_kind, _ = marginal_shares([*chained("skip", [0.3, 0.3, 0.3]), *chained("conv", [1.2, 1.2, 1.2])])
    assert (by_kind["skip"], by_kind["conv"]) == SHARE_RANGE
    assert marginal_shares(synthetic.operators()[:50]) == ({}, 1.0)


def entries(*latencies_s: float, part: Part) -> list[OperatorSample]:
    return [OperatorSample(part, latency_s, entry=f"key{n}") for n, latency_s in enumerate(latencies_s)]


def test_entries_of_a_table_count_as_they_stand() -> None:
    chained = [OperatorSample(Part("conv", 8 + n, 8, (4,), 4), 2.0, 1.2) for n in range(5)]
    part = Part("conv", 128, 8, (4,), 4)
    found = learn_operator_costs([*chained, *entries(2.0, part=part)], free_kinds={"join"})
    assert found.cost(part) == OperatorCost(2.0, "measured")
    assert (found.entries, found.free_kinds) == ({part: "key0"}, {"join"})


def test_entries_of_one_operator_count_their_median() -> None:
    part = Part("identity", 8, 8, (4,), 4)
    found = learn_operator_costs(entries(5.0, 1.0, 2.0, part=part))
    assert found.cost(part) == OperatorCost(2.0, "measured")
    assert found.entries == {part: "key0 and 2 more"}


def test_own_measurements_go_before_a_table() -> None:
    part = Part("conv", 8, 8, (4,), 4)
    found = learn_operator_costs([OperatorSample(part, 3.0), *entries(1.0, part=part)])
    assert (found.cost(part), found.entries) == (OperatorCost(3.0, "measured"), {})


def test_free_kinds_cost_nothing_unless_they_were_measured() -> None:
    join, concat = Part("join", 4, 4, (4, 4), 8), Part("concat", 4, 4, (4, 4), 8)
    found = learn_operator_costs([OperatorSample(join, 0.5)], free_kinds=("join", "concat"))
    assert found.cost(concat) == OperatorCost(0.0, "free")
    assert found.cost(join) == OperatorCost(0.5, "measured")
