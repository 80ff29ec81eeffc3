"""Mutation: never out of the space, reproducible, and everything can be reached."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import Architecture
from hyctas.cardinality import every
from hyctas.errors import InvalidInput
from hyctas.sharing import built_from
from hyctas.space import SearchSpace
from search.evolution.branch_changes import BRANCH_CHANGES, add_branch, copy_prefix, drop_branch
from search.evolution.branch_codes import Codes, architecture_of, codes_of, downs
from search.evolution.cell_edits import (
    CELL_EDITS,
    Site,
    change_operator,
    draw_site,
    insert_cell,
    move_down,
    remove_cell,
)
from search.evolution.mutation import MutationMix, mutated
from tests.search.evolution.strategies import NETWORKS, SPACES, architectures, generator, seeds, spaces, with_trunks

TINY = (
    SearchSpace(depth=3, min_cells=2, operators=("conv",), widths=(4, 12)),
    SearchSpace(depth=3, min_cells=1, operators=("conv", "sa"), widths=(4, 12), max_branches=1),
)


@given(st.data(), spaces, seeds)
def test_mutated_is_another_architecture_of_the_space(data: st.DataObject, space: SearchSpace, seed: int) -> None:
    parent = data.draw(architectures(space))
    child = mutated(space, parent, generator(seed))
    assert space.violation(child) is None
    assert child.settings == parent.settings
    assert child != parent or space != SPACES[0]


@given(st.data(), spaces, seeds)
def test_mutated_follows_from_the_state_of_the_generator(data: st.DataObject, space: SearchSpace, seed: int) -> None:
    parent = data.draw(architectures(space))
    assert mutated(space, parent, generator(seed)) == mutated(space, parent, generator(seed))


@pytest.mark.parametrize("name", CELL_EDITS)
@given(st.data(), spaces, seeds)
def test_cell_edit_stays_in_the_space_at_its_scales(
    name: str, data: st.DataObject, space: SearchSpace, seed: int
) -> None:
    codes, rng = codes_of(data.draw(architectures(space))), generator(seed)
    edited = CELL_EDITS[name](space, codes, draw_site(codes, rng, apart=0.5), rng)
    if edited is not None:
        assert [downs(code) for code in edited] == [downs(code) for code in codes]
        check_canonical(space, edited)


@pytest.mark.parametrize("name", BRANCH_CHANGES)
@given(st.data(), spaces, seeds)
def test_branch_change_stays_in_the_space(name: str, data: st.DataObject, space: SearchSpace, seed: int) -> None:
    changed = BRANCH_CHANGES[name](space, codes_of(data.draw(architectures(space))), generator(seed))
    if changed is not None:
        check_canonical(space, changed)


def check_canonical(space: SearchSpace, codes: Codes) -> None:
    built = architecture_of(NETWORKS, codes)
    assert space.violation(built) is None
    assert codes_of(built) == codes


@pytest.mark.parametrize("edit", [change_operator, insert_cell, remove_cell])
@given(seeds, seeds)
def test_edit_of_shared_cell_keeps_the_trunk(
    edit: Callable[[SearchSpace, Codes, Site, object], Codes | None], seed: int, other_seed: int
) -> None:
    space = SPACES[0]
    codes, rng = codes_of(with_trunks(space, seed)), generator(other_seed)
    site = draw_site(codes, rng, apart=0.0)
    edited = edit(space, codes, site, rng)
    if edited is not None and len(site.members) > 1:
        first, second = site.members[:2]
        longer = len(edited[first]) - len(codes[first])
        assert common(edited[first], edited[second]) >= common(codes[first], codes[second]) + longer
        assert common(edited[first], edited[second]) > site.cell + min(longer, 0)


def common(first: bytes, second: bytes) -> int:
    """Leading cells that two branches share, last ones apart."""
    limit = min(len(first), len(second)) - 1
    return next((cell for cell in range(limit) if first[cell] != second[cell]), limit)


def test_edit_apart_ends_the_trunk_there() -> None:
    space, rng = SPACES[0], generator(5)
    codes = (b"\x04\x04\x04\x10", b"\x04\x04\x05\x10")
    edited = change_operator(space, codes, Site(0, 1, (0,)), rng)
    assert edited is not None and common(*edited) == 1


def test_edit_moves_the_down_of_every_member() -> None:
    codes = (b"\x04\x04\x04\x05\x04\x10", b"\x04\x04\x04\x05\x05\x10")
    edited = move_down(SPACES[0], codes, Site(0, 1, (0, 1)), generator(0))
    assert edited == (b"\x04\x05\x04\x04\x04\x10", b"\x04\x05\x04\x04\x05\x10")


@given(seeds, seeds)
def test_copied_prefix_is_shared(seed: int, other_seed: int) -> None:
    space = SPACES[0]
    codes = codes_of(with_trunks(space, seed))
    changed = copy_prefix(space, codes, generator(other_seed))
    if changed is not None and changed != codes:
        assert any(shared.length for shared in built_from(architecture_of(NETWORKS, changed)))


@given(st.data(), seeds)
def test_branch_is_added_and_dropped_beside_the_others(data: st.DataObject, seed: int) -> None:
    space = SPACES[0]
    codes = codes_of(data.draw(architectures(space)))
    added = add_branch(space, codes, generator(seed))
    assert (added is None) == (len(codes) == 3)
    if added is not None:
        assert set(added) > set(codes) and len(added) == len(codes) + 1
    dropped = drop_branch(space, codes, generator(seed))
    assert (dropped is None) == (len(codes) == 1)
    if dropped is not None:
        assert set(dropped) < set(codes) and len(dropped) == len(codes) - 1


@pytest.mark.parametrize("space", TINY)
def test_mutation_reaches_every_architecture_of_a_small_space(space: SearchSpace) -> None:
    everything = {NETWORKS.architecture(branches) for branches in every(space)}
    start = min(everything, key=lambda architecture: architecture.key)
    assert reached_from(start, space, trials=40) == everything


def reached_from(start: Architecture, space: SearchSpace, *, trials: int) -> set[Architecture]:
    """What chains of mutations come to, with so many trials from every architecture."""
    rng, found, left = generator(0), {start}, [start]
    while left:
        parent = left.pop()
        new = {mutated(space, parent, rng) for _ in range(trials)} - found
        found |= new
        left += sorted(new, key=lambda architecture: architecture.key)
    return found


def test_mutation_of_the_only_architecture_is_itself() -> None:
    space = SearchSpace(depth=1, min_cells=1, max_branches=1, operators=("conv",), widths=(12,))
    only = NETWORKS.architecture(next(every(space)))
    assert mutated(space, only, generator(0)) == only


def test_mix_with_one_weight_makes_that_change_only() -> None:
    mix = MutationMix(**dict.fromkeys(MutationMix().weights, 0.0) | {"drop_branch": 1.0})
    parent = with_trunks(SPACES[0], 1)
    assert all(len(mutated(SPACES[0], parent, generator(seed), mix=mix).branches) == 2 for seed in range(5))


@pytest.mark.parametrize(
    ("field", "value"), [("operator", -1.0), ("width", float("nan")), ("apart", 1.5), ("apart", float("nan"))]
)
def test_mix_with_impossible_value_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=field):
        MutationMix(**{field: value})


def test_mix_without_any_weight_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one weight above 0"):
        MutationMix(**dict.fromkeys(MutationMix().weights, 0.0))
