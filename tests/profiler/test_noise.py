"""The noise floor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.measurement import Measurement, Protocol, Round
from hyctas.target import Target
from profiler.noise import noise_floor, split_halves

latencies = st.floats(1e-6, 1e3)


def test_floor_is_half_of_the_mean_relative_difference() -> None:
    assert noise_floor([(1.0, 1.02), (2.0, 2.0)]) == pytest.approx((0.02 / 1.01 / 2 + 0.0) / 2)


def test_floor_without_pairs_is_unknown() -> None:
    assert noise_floor([]) is None


@given(st.lists(st.tuples(latencies, latencies), min_size=1, max_size=20), st.floats(0.1, 10.0))
def test_floor_depends_neither_on_order_nor_on_the_unit(pairs: list[tuple[float, float]], unit: float) -> None:
    floor = noise_floor(pairs)
    assert floor is not None and 0.0 <= floor <= 1.0
    assert noise_floor([(b * unit, a * unit) for a, b in pairs]) == pytest.approx(floor)


def measurement(target: Target, rounds: tuple[Round, ...]) -> Measurement:
    return Measurement("w", target, rounds, 1e-5, Protocol(), {})


def test_halves_are_medians_of_the_first_and_the_last_rounds(target: Target, round_of: Callable[..., Round]) -> None:
    rounds = tuple(round_of(sample, 1.0) for sample in (1.0, 2.0, 3.0, 7.0, 8.0, 9.0))
    assert split_halves(measurement(target, rounds), "compute") == (2.0, 8.0)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rounds_have_no_halves(target: Target, round_of: Callable[..., Round], count: int) -> None:
    assert split_halves(measurement(target, (round_of(),) * count), "none") is None
