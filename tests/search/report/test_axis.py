"""Axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report.axis import Axis, axis_over

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6)


@given(VALUES, st.booleans())
def test_every_value_lies_inside_with_room(values: list[float], log: bool) -> None:
    axis = axis_over(values, "x", log=log)
    for value in values:
        assert 0.0 < axis.share(value) < 1.0


@given(VALUES, st.booleans(), st.integers(2, 12))
def test_ticks_ascend_inside_and_are_as_many_as_there_is_room(values: list[float], log: bool, most: int) -> None:
    axis = axis_over(values, "x", log=log)
    ticks = [value for value, _ in axis.ticks(most)]
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= most + 1
    assert all(axis.low * (1 - 1e-6) <= tick <= axis.high * (1 + 1e-6) for tick in ticks)


@given(VALUES, st.integers(2, 12))
def test_texts_of_ticks_differ(values: list[float], most: int) -> None:
    texts = [text for _, text in axis_over(values, "x").ticks(most)]
    assert len(set(texts)) == len(texts)


def test_decimals_of_ticks_agree() -> None:
    assert [text for _, text in Axis("mIoU", 0.61, 0.76).ticks(4)] == ["0.65", "0.70", "0.75"]


def test_whole_numbers_only_where_asked_for() -> None:
    assert axis_over([1, 2, 3], "generation", whole=True).ticks(12) == ((1.0, "1"), (2.0, "2"), (3.0, "3"))
    assert [text for _, text in axis_over([4], "generation", whole=True).ticks(5)] == ["4"]


def test_decades_take_round_numbers() -> None:
    assert [text for _, text in Axis("ms", 0.8, 150.0, log=True).ticks(8)] == ["1", "2", "5", "10", "20", "50", "100"]


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis() -> None:
    axis = Axis("ms", 1.0, 100.0, log=True)
    assert [axis.share(value) for value in (1.0, 10.0, 100.0)] == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
@pytest.mark.parametrize("log", [True, False])
def test_without_values_there_is_an_axis_still(values: list[float], log: bool) -> None:
    axis = axis_over(values, "x", log=log)
    assert axis.low < axis.high
    assert axis.ticks(5)
