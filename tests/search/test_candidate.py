from __future__ import annotations

import math

import pytest

from search.candidate import WORST_ERROR, excesses
from tests.search.scored import candidate, prediction

TWO_TARGETS = (prediction(2e-3), prediction(8e-3))


def test_score_is_error_and_log_latency_of_each_target() -> None:
    score = candidate(0, 0.25, *TWO_TARGETS).score((None, None))
    assert score.minimised == (0.75, math.log(2e-3), math.log(8e-3))
    assert score.violations == ()
    assert score.feasible


@pytest.mark.parametrize(
    ("limits_s", "expected", "within"),
    [
        ((None, None), (), True),
        ((4e-3, None), (-math.log(2.0),), True),
        ((None, 4e-3), (math.log(2.0),), False),
        ((1e-3, 16e-3), (math.log(2.0), -math.log(2.0)), False),
        ((2e-3, 8e-3), (0.0, 0.0), True),
    ],
)
def test_limits_apply_to_their_target(
    limits_s: tuple[float | None, ...], expected: tuple[float, ...], within: bool
) -> None:
    found = candidate(0, 0.25, *TWO_TARGETS)
    assert excesses(found.latency_s, limits_s) == pytest.approx(expected)
    assert found.within(limits_s) is within
    assert found.score(limits_s).violations == pytest.approx(expected)
    assert found.score(limits_s).feasible is within


def test_a_candidate_over_a_limit_has_the_worst_error_and_its_latency() -> None:
    score = candidate(0, None, *TWO_TARGETS).score((1e-3, None))
    assert score.minimised == (WORST_ERROR, math.log(2e-3), math.log(8e-3))
    assert score.violations == pytest.approx((math.log(2.0),))


def test_a_candidate_that_failed_is_infinitely_bad_in_everything() -> None:
    score = candidate(0, None, *TWO_TARGETS, failure="the logits are not all finite").score((None, 16e-3))
    assert score.minimised == (math.inf,) * 3
    assert score.violations == pytest.approx((-math.log(2.0),))


def test_each_target_needs_its_limit_or_none() -> None:
    with pytest.raises(ValueError, match="zip"):
        excesses((1e-3, 2e-3), (None,))
