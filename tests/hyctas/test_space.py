"""Membership, cardinality against brute force, and the numbering of architectures."""

from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import ArchitectureDefaults
from hyctas.cardinality import branch_cardinality, branches_at, cardinality, every
from hyctas.cell import Branch, Cell
from hyctas.errors import InvalidArchitecture, InvalidInput
from hyctas.space import HYCTAS, SearchSpace

TINY = SearchSpace(depth=3, min_cells=2, operators=("skip", "conv"), widths=(4, 12))


def enumerated_branches(space):
    """All branches of a space, from the definition: every choice of cells that makes a valid branch."""
    inner = [Cell(op, width, down) for op in space.operators for width in space.widths for down in (False, True)]
    last = [Cell(op, None, False) for op in space.operators]
    found = []
    for count in range(space.min_cells, space.depth + 1):
        for cells in product(*[inner] * (count - 1), last):
            if sum(cell.down for cell in cells) <= 2:
                found.append(Branch(cells))
    return found


def enumerated(space):
    """All sets of branches that end at different scales."""
    branches = enumerated_branches(space)
    return {
        frozenset(chosen)
        for count in range(1, space.max_branches + 1)
        for chosen in combinations(branches, count)
        if len({branch.last_scale for branch in chosen}) == count
    }


@pytest.mark.parametrize(
    "space",
    [
        SearchSpace(depth=3, min_cells=1, operators=("conv",), widths=(4,)),
        SearchSpace(depth=4, min_cells=3, operators=("conv",), widths=(4, 12), max_branches=2),
        SearchSpace(depth=2, min_cells=2, operators=("skip", "conv"), widths=(4, 12)),
        SearchSpace(depth=3, min_cells=3, operators=("skip", "conv"), widths=(6,), max_branches=3),
        SearchSpace(depth=1, min_cells=1, operators=("skip", "sa"), widths=(6, 12)),
    ],
)
def test_cardinality_equals_brute_force(space):
    expected = enumerated(space)
    assert space.cardinality == len(expected)
    assert {frozenset(branches) for branches in every(space)} == expected


def test_cardinality_of_one_scale_equals_brute_force():
    branches = enumerated_branches(TINY)
    for scale in (0, 1, 2):
        assert branch_cardinality(TINY, scale) == sum(branch.last_scale == scale for branch in branches)


def test_cardinality_at_full_depth_follows_the_formula():
    lengths = range(6, 17)
    at = [sum(ways(n) * 6**n * 5 ** (n - 1) for n in lengths) for ways in (lambda n: 1, lambda n: n - 1, pairs)]
    assert HYCTAS.cardinality == (1 + at[0]) * (1 + at[1]) * (1 + at[2]) - 1


def pairs(count):
    return (count - 1) * (count - 2) // 2


@given(st.integers(0, cardinality(HYCTAS) - 1))
def test_every_number_is_a_member(number):
    assert HYCTAS.contains(ArchitectureDefaults().architecture(branches_at(HYCTAS, number)))


@pytest.mark.parametrize("number", [-1, cardinality(TINY)])
def test_number_outside_the_space_is_refused(number):
    with pytest.raises(IndexError):
        branches_at(TINY, number)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"depth": 7, "min_cells": 7}, "$.branches[0].cells"),
        ({"depth": 5, "min_cells": 1}, "$.branches[0].cells"),
        ({"operators": ("sa",)}, "$.branches[0].cells[0].op"),
        ({"widths": (4,)}, "$.branches[0].cells[0].width"),
        ({"max_branches": 1}, "$.branches"),
        ({"name": "fasterseg"}, "$.space"),
    ],
)
def test_violation_names_the_rule(change, path):
    inner = (Cell("conv", 12, False),) * 4
    branches = (
        Branch((Cell("conv", 12, False), *inner, Cell("conv", None, False))),
        Branch((Cell("conv", 12, True), *inner, Cell("conv", None, False))),
    )
    architecture = ArchitectureDefaults().architecture(branches)
    HYCTAS.check(architecture)
    space = replace(HYCTAS, **change)
    assert not space.contains(architecture)
    with pytest.raises(InvalidArchitecture) as caught:
        space.check(architecture)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"depth": 0}, "depth"),
        ({"depth": 65}, "depth"),
        ({"min_cells": 17}, "min_cells"),
        ({"max_branches": 4}, "max_branches"),
        ({"operators": ()}, "operators"),
        ({"operators": ("conv", "conv")}, "operators"),
        ({"operators": ("pool",)}, "operators"),
        ({"widths": (5,)}, "widths"),
    ],
)
def test_space_outside_the_format_is_refused(change, name):
    with pytest.raises(InvalidInput) as caught:
        replace(HYCTAS, **change)
    assert caught.value.path == name


def test_space_brings_its_choices_into_canonical_order():
    assert SearchSpace(operators=("sa", "skip"), widths=(12, 4)) == SearchSpace(
        operators=("skip", "sa"), widths=(4, 12)
    )


def test_shallow_space_has_no_branches_at_low_scales():
    assert SearchSpace(depth=2, min_cells=1).scales == (0, 1)
