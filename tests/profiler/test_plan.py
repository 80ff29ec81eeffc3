"""Plans."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.costs import costs
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from profiler.plan import CHAIN, PlannedWorkload, plan_networks, plan_operators, plan_parts

SETTINGS = ArchitectureDefaults(height=192, width=384, base_channels=12)


@pytest.fixture(scope="module")
def operators() -> tuple[PlannedWorkload, ...]:
    return plan_operators(SearchSpace(), SETTINGS)


def test_operators_are_all_distinct(operators: tuple[PlannedWorkload, ...]) -> None:
    assert max(Counter(item.key for item in operators).values()) == 1
    assert len(operators) > 700


def test_operators_cover_every_kind(operators: tuple[PlannedWorkload, ...]) -> None:
    kinds = {item.source.kind for item in operators if isinstance(item.source, Part)}
    cells = {"conv", "conv_downup", "conv_2x", "conv_2x_downup", "sa"}
    assert cells | {"stem_conv", "fuse", "ffm", "head_attention", "lateral", "classifier"} <= kinds


def test_operators_do_not_depend_on_the_depth(operators: tuple[PlannedWorkload, ...]) -> None:
    assert {item.key for item in plan_operators(SearchSpace(depth=9), SETTINGS)} == {item.key for item in operators}


def test_chain_is_the_operator_several_times(operators: tuple[PlannedWorkload, ...]) -> None:
    chained = [item for item in operators if item.chain is not None]
    assert chained
    for item in chained:
        assert item.chain is not None
        assert costs(item.chain).macs == CHAIN * item.costs.macs


def test_operator_that_cannot_feed_itself_has_no_chain() -> None:
    same, wider, strided = (
        Part("conv", 12, 24, (24,), 24),
        Part("conv", 12, 24, (24,), 48),
        Part("conv", 12, 24, (24,), 24, stride=2),
    )
    assert [item.chain is not None for item in plan_parts([same, wider, strided])] == [True, False, False]


def test_equal_work_is_planned_once() -> None:
    part = Part("conv", 12, 24, (24,), 24)
    assert len(plan_parts([part, part])) == 1
    networks = sample_structured(SearchSpace(), np.random.default_rng(0), 3, SETTINGS)
    assert len(plan_networks([*networks, *networks])) == len(plan_networks(networks))


def test_memory_covers_the_weights_and_the_largest_activations() -> None:
    part = Part("conv_2x", 12, 24, (24,), 24)
    (item,) = plan_parts([part])
    counted = costs(lower_part(part))
    assert item.costs == counted
    assert item.resident_bytes >= 4 * counted.parameters + counted.peak_activation_bytes
