from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.candidate import Candidate
from search.fronts import fronts_of, minimised, replaced_quality
from tests.search.scored import ARCHITECTURES, candidate, numbers, prediction

BRANCHES = [len(architecture.branches) for architecture in ARCHITECTURES]
ONE, TWO = ([number for number, count in enumerate(BRANCHES) if count == wanted] for wanted in (1, 2))


def on_front(number: int, miou: float | None, *latency_s: float, failure: str | None = None) -> Candidate:
    return candidate(number, miou, *map(prediction, latency_s), failure=failure)


def test_nothing_scored_has_no_fronts() -> None:
    fronts = fronts_of([], (None,))
    assert (fronts.overall, dict(fronts.by_branches), fronts.members) == ((), {}, ())
    assert minimised([], (None,)).shape == (0, 2)


def test_each_branch_count_has_a_front_of_its_own() -> None:
    best, dominated, beaten = on_front(ONE[0], 0.6, 1.0), on_front(ONE[1], 0.5, 2.0), on_front(TWO[0], 0.5, 3.0)
    fronts = fronts_of([dominated, beaten, best], (None,))
    assert fronts.overall == (best,)
    assert dict(fronts.by_branches) == {1: (best,), 2: (beaten,)}
    assert fronts.members == (best, beaten)


def test_fronts_leave_out_what_breaks_limits_failed_or_was_not_evaluated() -> None:
    good = on_front(0, 0.1, 1.0, 5.0)
    over = on_front(1, 0.9, 1.0, 7.0)
    failed = on_front(2, None, 0.1, 0.1, failure="the logits are not all finite")
    skipped = on_front(3, None, 0.1, 0.1)
    assert fronts_of([over, failed, skipped, good], (None, 6.0)).overall == (good,)
    assert minimised([over, failed, skipped, good], (None, 6.0)).tolist() == [[0.9, 0.0, math.log(5.0)]]


def test_equal_networks_are_all_on_the_front() -> None:
    twins = [on_front(number, 0.5, 1.0) for number in range(3)]
    assert numbers(fronts_of(twins, (None,)).overall) == [0, 1, 2]


def test_a_front_is_in_ascending_latency() -> None:
    front = fronts_of([on_front(0, 0.6, 3.0), on_front(1, 0.4, 1.0), on_front(2, 0.5, 2.0)], (None,))
    assert numbers(front.overall) == [1, 2, 0]
    assert numbers(front.members) == [1, 2, 0]


def test_a_better_known_quality_replaces_the_first() -> None:
    first, second = on_front(0, 0.5, 1.0), on_front(1, 0.6, 2.0)
    replaced = replaced_quality([first, second], {second.architecture.key: 0.4})
    assert replaced == [first, on_front(1, 0.4, 2.0)]


values = st.sampled_from([0.1, 0.2, 0.3, 0.4])


@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=len(ARCHITECTURES)))
def test_fronts_hold_exactly_what_nothing_dominates(rows: list[tuple[float, float, float]]) -> None:
    candidates = [on_front(number, *row) for number, row in enumerate(rows)]
    points = minimised(candidates, (None, None))
    better = (points[:, None] <= points[None]).all(axis=2) & (points[:, None] < points[None]).any(axis=2)
    expected = np.flatnonzero(~better.any(axis=0)).tolist()
    assert sorted(numbers(fronts_of(candidates, (None, None)).overall)) == expected
