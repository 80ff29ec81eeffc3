from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.drift import Comparison, Drift, drift


def comparison(
    predicted_s: Sequence[float],
    measured_s: Sequence[float],
    *,
    miou: Sequence[float] | None = None,
    half_width: float = 0.1,
) -> Comparison:
    predicted = np.array(predicted_s, dtype=np.float64)
    return Comparison(
        miou=np.array([0.5] * len(predicted) if miou is None else miou, dtype=np.float64),
        predicted_s=predicted,
        low_s=predicted * (1 - half_width),
        high_s=predicted * (1 + half_width),
        measured_s=np.array(measured_s, dtype=np.float64),
        nominal_coverage=0.9,
    )


def of(compared: Comparison, reference: tuple[float, float] | None = None) -> Drift:
    found = drift(compared, reference)
    assert found is not None
    return found


def test_nothing_measured_is_no_drift() -> None:
    assert drift(comparison([], []), (1.0, 0.0)) is None


def test_predictions_that_are_right_have_no_drift() -> None:
    found = of(comparison([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], miou=[0.1, 0.2, 0.3]), (1.0, math.log(8.0)))
    assert found == Drift(3, 0.0, 0.0, 0.0, 0, 3, 1.0, 0.9, 0.0)


def test_errors_are_relative_to_what_was_measured() -> None:
    found = of(comparison([1.0, 3.0, 3.0], [2.0, 2.0, 4.0]))
    assert found.mape == pytest.approx((0.5 + 0.5 + 0.25) / 3)
    assert found.bias == pytest.approx((-0.5 + 0.5 - 0.25) / 3)
    assert found.worst == 0.5
    assert found.hypervolume_lost is None


def test_a_network_alone_has_no_pairs() -> None:
    found = of(comparison([1.0], [1.25]))
    assert (found.networks, found.pairs, found.inversions) == (1, 0, 0)
    assert found.bias == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("predicted_s", "measured_s", "inversions"),
    [
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], 3),
        ([1.0, 2.0, 3.0], [2.0, 1.0, 3.0], 1),
        ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 0),
        ([1.0, 1.0, 3.0], [2.0, 1.0, 1.5], 1),
        ([3.0, 1.0, 2.0, 4.0], [1.0, 3.0, 2.0, 4.0], 3),
    ],
)
def test_inversions_are_pairs_in_strictly_the_other_order(
    predicted_s: list[float], measured_s: list[float], inversions: int
) -> None:
    found = of(comparison(predicted_s, measured_s))
    assert found.inversions == inversions
    assert found.pairs == len(predicted_s) * (len(predicted_s) - 1) // 2


def test_coverage_counts_ends_of_the_interval() -> None:
    compared = comparison([10.0, 10.0, 10.0, 10.0], [9.0, 11.0, 8.0, 12.0], half_width=0.1)
    assert of(compared).coverage == 0.5
    assert of(compared).nominal_coverage == 0.9


def test_hypervolume_lost_is_the_share_of_an_area() -> None:
    """One network with error 0.5, up to error 1: an area of 0.5 x the distance in log latency."""
    reference = (1.0, math.log(8.0))
    assert of(comparison([2.0], [4.0]), reference).hypervolume_lost == pytest.approx(0.5)
    assert of(comparison([4.0], [2.0]), reference).hypervolume_lost == pytest.approx(-1.0)
    assert of(comparison([2.0], [16.0]), reference).hypervolume_lost == 1.0


def test_a_front_outside_the_reference_has_no_hypervolume_to_lose() -> None:
    assert of(comparison([9.0], [2.0]), (1.0, math.log(8.0))).hypervolume_lost is None


def test_a_network_that_another_dominates_loses_nothing() -> None:
    compared = comparison([2.0, 4.0], [2.0, 7.0], miou=[0.6, 0.5])
    assert of(compared, (1.0, math.log(8.0))).hypervolume_lost == pytest.approx(0.0)


times = st.lists(st.tuples(st.floats(1e-4, 1.0), st.floats(1e-4, 1.0), st.floats(0, 1)), min_size=1, max_size=12)


@given(times, st.randoms())
def test_the_order_of_networks_does_not_matter(rows: list[tuple[float, float, float]], random: object) -> None:
    shuffled = sorted(rows, key=lambda row: random.random())  # type: ignore[attr-defined]
    first, second = (of(comparison(*zip(*[r[:2] for r in of_rows], strict=True))) for of_rows in (rows, shuffled))
    for field in dataclasses.fields(Drift):
        assert getattr(first, field.name) == pytest.approx(getattr(second, field.name)), field.name


@given(times)
def test_shares_are_shares(rows: list[tuple[float, float, float]]) -> None:
    predicted_s, measured_s, miou = zip(*rows, strict=True)
    found = of(comparison(predicted_s, measured_s, miou=miou), (1.1, math.log(2.0)))
    assert 0 <= found.coverage <= 1
    assert 0 <= found.inversions <= found.pairs
    assert abs(found.bias) <= found.mape * (1 + 1e-9) <= found.worst * (1 + 1e-9) ** 2
    assert found.hypervolume_lost is not None and found.hypervolume_lost <= 1
