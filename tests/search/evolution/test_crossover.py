"""Crossover: children of two parents, in the space, with cells of both, and with their trunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.space import SearchSpace
from search.evolution.branch_changes import graft
from search.evolution.branch_codes import architecture_of, codes_of, downs, with_downs
from search.evolution.crossover import crossed, one_point_crossover, tree_crossover
from tests.search.evolution.strategies import NETWORKS, SPACES, architectures, generator, seeds, spaces, with_trunks

SPACE = SPACES[0]
LEVEL, DOWN, LAST = b"\x04", b"\x05", b"\x10"
OTHER_LEVEL, OTHER_DOWN, OTHER_LAST = b"\x16", b"\x17", b"\x40"


@pytest.mark.parametrize("tree", [False, True])
@given(st.data(), spaces, seeds)
def test_child_belongs_to_the_space_and_follows_from_the_generator(
    tree: bool, data: st.DataObject, space: SearchSpace, seed: int
) -> None:
    first, second = data.draw(architectures(space)), data.draw(architectures(space))
    child = crossed(space, first, second, generator(seed), tree=tree)
    assert space.violation(child) is None
    assert child.settings == first.settings
    assert child == crossed(space, first, second, generator(seed), tree=tree)


@given(st.data(), seeds)
def test_one_point_child_has_the_scales_of_its_first_parent(data: st.DataObject, seed: int) -> None:
    first, second = (codes_of(data.draw(architectures(SPACE))) for _ in range(2))
    child = one_point_crossover(SPACE, first, second, generator(seed))
    assert [downs(code) for code in child] == [downs(code) for code in first]
    assert SPACE.contains(architecture_of(NETWORKS, child))


def test_one_point_child_changes_over_at_one_depth_in_all_branches() -> None:
    first = (4 * LEVEL + LAST, 2 * LEVEL + DOWN + LEVEL + LAST)
    second = (4 * OTHER_LEVEL + OTHER_LAST, 2 * OTHER_LEVEL + OTHER_DOWN + OTHER_LEVEL + OTHER_LAST)
    for seed in range(20):
        child = one_point_crossover(SPACE, first, second, generator(seed))
        cuts = {sum(cell in LEVEL + DOWN for cell in code) for code in child}
        assert len(cuts) == 1 and cuts < {1, 2, 3, 4}


def test_one_point_of_parents_without_a_common_scale_is_the_first() -> None:
    first, second = (4 * LEVEL + LAST,), (2 * LEVEL + DOWN + LAST,)
    assert one_point_crossover(SPACE, first, second, generator(0)) == first


@given(st.data(), spaces, seeds)
def test_tree_child_has_a_branch_or_a_tail_of_its_second_parent(
    data: st.DataObject, space: SearchSpace, seed: int
) -> None:
    first, second = (codes_of(data.draw(architectures(space))) for _ in range(2))
    child = tree_crossover(space, first, second, generator(seed))
    assert {code[-1] for code in child} & {code[-1] for code in second}
    assert 1 <= len(child) <= space.max_branches


def test_tree_crossover_reaches_all_branch_counts_from_parents_with_one_and_two() -> None:
    first, second = (4 * LEVEL + LAST,), (DOWN + LEVEL + OTHER_LAST, 2 * OTHER_DOWN + LEVEL + OTHER_LAST)
    counts = {len(tree_crossover(SPACE, first, second, generator(seed))) for seed in range(40)}
    assert counts == {2, 3}
    counts = {len(tree_crossover(SPACE, second, first, generator(seed))) for seed in range(40)}
    assert counts == {3}


@given(seeds, seeds, seeds)
def test_graft_begins_with_the_trunk_and_ends_as_before(seed: int, other_seed: int, third_seed: int) -> None:
    trunk, branch = (codes_of(with_trunks(SPACE, number))[-1] for number in (seed, other_seed))
    grafted = graft(trunk, branch, generator(third_seed))
    if grafted is not None:
        assert (len(grafted), downs(grafted), grafted[-1]) == (len(branch), downs(branch), branch[-1])
        assert grafted[0] == trunk[0]


@given(st.lists(st.sampled_from([4, 5, 22, 23]), max_size=6), st.integers(-1, 7), seeds)
def test_tail_goes_down_as_often_as_asked_with_fewest_changes(inner: list[int], missing: int, seed: int) -> None:
    tail = bytes([*inner, 16])
    changed = with_downs(tail, missing, generator(seed))
    if not 0 <= missing <= len(inner):
        assert changed is None
    else:
        assert changed is not None and downs(changed) == missing and changed[-1] == 16
        assert sum(a != b for a, b in zip(tail, changed, strict=True)) == abs(downs(tail) - missing)
