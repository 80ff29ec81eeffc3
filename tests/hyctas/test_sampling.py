"""Uniform samples are uniform; structured ones share trunks and spread over depth and cost."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from hyctas.architecture import ArchitectureDefaults
from hyctas.cardinality import cardinality, every
from hyctas.cell import Branch
from hyctas.errors import InvalidInput
from hyctas.network_macs import network_macs
from hyctas.prefix_tree import Strata, draw_tree, split_points
from hyctas.sampling import sample_structured, sample_uniform
from hyctas.sharing import shared_prefix
from hyctas.space import HYCTAS, SearchSpace

SETTINGS = ArchitectureDefaults(height=192, width=384)
TINY = SearchSpace(depth=3, min_cells=2, operators=("skip", "conv"), widths=(12,))
SAMPLERS = pytest.mark.parametrize("sample", [sample_uniform, sample_structured])


def rng(seed=0):
    return np.random.default_rng(seed)


def cheap(architecture):
    return float(sum(len(branch.cells) for branch in architecture.branches))


def shared_pairs(architectures):
    """Over all pairs of branches of one architecture, the share that has a common first cell."""
    pairs = [pair for architecture in architectures for pair in combinations(architecture.branches, 2)]
    return sum(shared_prefix(*pair) > 0 for pair in pairs) / len(pairs)


@SAMPLERS
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_samples_are_distinct_members_with_the_settings(sample, count):
    drawn = sample(HYCTAS, rng(), count, SETTINGS)
    assert len({architecture.key for architecture in drawn}) == count
    assert all(HYCTAS.contains(architecture) for architecture in drawn)
    assert all(architecture.settings == SETTINGS for architecture in drawn)


@SAMPLERS
def test_samples_repeat_with_the_seed(sample):
    assert sample(HYCTAS, rng(7), 12) == sample(HYCTAS, rng(7), 12)
    assert sample(HYCTAS, rng(7), 12) != sample(HYCTAS, rng(8), 12)


@SAMPLERS
def test_sample_can_exhaust_a_tiny_space(sample):
    space = SearchSpace(depth=2, min_cells=1, operators=("conv",), widths=(4, 12))
    drawn = sample(space, rng(), space.cardinality)
    assert {architecture.branches for architecture in drawn} == set(every(space))


@SAMPLERS
@pytest.mark.parametrize("count", [-1, cardinality(TINY) + 1])
def test_more_than_the_space_holds_is_refused(sample, count):
    with pytest.raises(InvalidInput, match=f"0 to {cardinality(TINY)}"):
        sample(TINY, rng(), count)


def test_uniform_draws_every_architecture_equally_often():
    generator = rng()
    total = cardinality(TINY)
    counts = Counter(sample_uniform(TINY, generator, 1)[0].branches for _ in range(20 * total))
    assert len(counts) == total
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_uniform_hardly_shares_a_trunk():
    assert shared_pairs(sample_uniform(HYCTAS, rng(), 2000)) < 1 / 25


def test_structured_mostly_shares_a_trunk():
    drawn = sample_structured(HYCTAS, rng(), 300, cost=cheap)
    assert shared_pairs(drawn) > 0.5
    lengths = {shared_prefix(*pair) for one in drawn for pair in combinations(one.branches, 2)}
    assert lengths >= set(range(8))


def test_structured_draws_branch_counts_equally_often():
    drawn = sample_structured(HYCTAS, rng(), 31, cost=cheap)
    assert sorted(Counter(len(architecture.branches) for architecture in drawn).values()) == [10, 10, 11]


def test_structured_reaches_every_depth_and_pair_of_scales():
    drawn = sample_structured(HYCTAS, rng(), 300, cost=cheap)
    assert {max(len(branch.cells) for branch in one.branches) for one in drawn} == set(range(6, 17))
    assert len({tuple(branch.last_scale for branch in one.branches) for one in drawn}) == 7


def test_structured_covers_log_macs_evenly():
    drawn = sample_structured(HYCTAS, rng(), 240, SETTINGS)
    for branches in (1, 2, 3):
        logs = np.log([network_macs(one) for one in drawn if len(one.branches) == branches])
        counts, _ = np.histogram(logs, bins=8)
        assert counts.min() >= 3
        assert counts.max() <= 15
    uniform = np.log([network_macs(one) for one in sample_uniform(HYCTAS, rng(), 100, SETTINGS)])
    structured = np.log([network_macs(one) for one in drawn if len(one.branches) == 3])
    assert structured.std() > 3 * uniform.std()


def test_structured_takes_another_cost():
    seen = []

    def cost(architecture):
        seen.append(architecture)
        return cheap(architecture)

    drawn = sample_structured(HYCTAS, rng(), 30, cost=cost)
    assert set(drawn) < set(seen)


@settings(max_examples=200)
@given(
    st.builds(
        lambda low, span, branches: SearchSpace(depth=low + span, min_cells=low, max_branches=branches),
        st.integers(1, 8),
        st.integers(0, 8),
        st.integers(1, 3),
    ),
    st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3),
    st.integers(0, 2**32),
)
def test_drawn_tree_is_a_member(space, shares, seed):
    for branches in range(1, min(space.max_branches, len(space.scales)) + 1):
        tree = draw_tree(space, rng(seed), Strata(branches, *shares))
        assert len(tree) == branches
        assert space.contains(SETTINGS.architecture(tree))


@pytest.mark.parametrize("heaviness", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("shared", [0.0, 0.5, 0.999])
def test_tree_splits_where_asked(shared, heaviness):
    for seed in range(20):
        first, second = draw_tree(HYCTAS, rng(seed), Strata(2, shared, 0.5, heaviness))
        points = split_points(first.code, length=len(second.code), scale=second.last_scale)
        back = split_points(second.code, length=len(first.code), scale=first.last_scale)
        asked = {found[int(shared * len(found))] for found in (points, back)}
        assert shared_prefix(first, second) >= min(asked)


def test_split_points_leave_room_to_go_down():
    plain = Branch.from_code(bytes([0x1A] * 7 + [0x10])).code
    assert split_points(plain, length=6, scale=0) == [0, 1, 2, 3, 4, 5]
    assert split_points(plain, length=6, scale=2) == [0, 1, 2, 3]
    assert split_points(plain, length=20, scale=1) == [0, 1, 2, 3, 4, 5, 6, 7]
    early = bytes([0x1A, 0x1B, 0x1A, 0x1B, 0x10])
    assert split_points(early, length=6, scale=0) == [0, 1]
    assert split_points(early, length=6, scale=1) == [0, 1, 2, 3]


def test_heaviness_raises_the_cost():
    means = [
        np.mean([network_macs(SETTINGS.architecture(draw_tree(HYCTAS, rng(seed), Strata(1, 0, 0.5, heaviness))))
                 for seed in range(20)])
        for heaviness in (0.0, 0.5, 0.99)
    ]  # fmt: skip
    assert means == sorted(means)


def test_network_macs_equal_those_of_the_graph():
    from hyctas.costs import costs
    from hyctas.lowering import lower

    for architecture in sample_structured(HYCTAS, rng(3), 4, SETTINGS, cost=cheap):
        assert network_macs(architecture) == costs(lower(architecture)).macs
