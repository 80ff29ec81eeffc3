"""Fronts and hypervolumes: ties, failures, nothing at all, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import InvalidInput
from search.evolution.front import fronts_by_branches, hypervolume, pareto_front, reference_point

NAN, INF = float("nan"), float("inf")
grid = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), max_size=12)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([[1.0, 1.0]], [0]),
        ([[1, 2], [2, 1], [2, 2], [0, 3]], [0, 1, 3]),
        ([[1, 2], [1, 2], [1, 3]], [0, 1]),
        ([[NAN, 0], [INF, INF], [5, 5], [0, INF]], [2]),
        ([[INF, INF], [NAN, 1]], []),
    ],
)
def test_front_of_points(points: list[list[float]], front: list[int]) -> None:
    assert pareto_front(points).tolist() == front


@given(grid)
def test_front_is_what_no_point_dominates(points: list[list[int]]) -> None:
    expected = [i for i, own in enumerate(points) if not any(dominates(other, own) for other in points)]
    assert pareto_front(points).tolist() == expected


def dominates(first: list[int], second: list[int]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def test_fronts_by_branches_are_apart() -> None:
    fronts = fronts_by_branches([1, 2, 1, 3, 2], [[1, 1], [0, 0], [2, 2], [INF, INF], [0, 1]])
    assert {count: front.tolist() for count, front in fronts.items()} == {1: [0], 2: [1], 3: []}
    assert fronts_by_branches([], []) == {}


@pytest.mark.parametrize(
    ("points", "reference", "volume"),
    [
        ([], [1, 1], 0.0),
        ([[0, 0]], [2, 3], 6.0),
        ([[0, 1], [1, 0]], [2, 2], 3.0),
        ([[0, 1], [1, 0], [5, -5], [NAN, 0], [-INF, 0], [0, INF]], [2, 2], 3.0),
        ([[2, 0]], [2, 2], 0.0),
        ([[0, 0, 0], [0, 0, 0]], [1, 2, 3], 6.0),
        ([[0, 0, 0, 1], [1, 0, 0, 0]], [2, 2, 2, 2], 12.0),
    ],
)
def test_hypervolume_of_points(points: list[list[float]], reference: list[float], volume: float) -> None:
    assert hypervolume(points, reference) == pytest.approx(volume)


@given(grid)
def test_hypervolume_is_the_count_of_dominated_unit_cubes(points: list[list[int]]) -> None:
    corners = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    dominated = np.zeros(len(corners), dtype=bool)
    for point in points:
        dominated |= (corners >= point).all(axis=1)
    assert hypervolume(points, [5, 5, 5]) == pytest.approx(dominated.sum())


def test_reference_point_is_a_tenth_beyond_the_worst() -> None:
    points = [[0.0, -4.0], [1.0, -6.0], [INF, 0.0]]
    assert reference_point(points).tolist() == pytest.approx([1.1, -3.8])
    assert reference_point([[0.5, 2.0], [0.5, 2.0]]).tolist() == pytest.approx([0.6, 2.1])


def test_reference_point_of_failures_only_is_refused() -> None:
    with pytest.raises(InvalidInput, match="2 points, none finite"):
        reference_point([[INF, INF], [NAN, 0.0]])
