from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.stopwatch import Activity, Stopwatch

ACTIVITIES: tuple[Activity, ...] = ("evaluation", "prediction", "evolution", "storage")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(st.sampled_from(ACTIVITIES), st.integers(0, 1000), st.integers(0, 1000))))
def test_time_inside_counts_and_time_between_does_not(steps: list[tuple[Activity, int, int]]) -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock=clock)
    for activity, inside_s, between_s in steps:
        with stopwatch.on(activity):
            clock.now_s += inside_s
        clock.now_s += between_s
    expected = {a: float(sum(s for activity, s, _ in steps if activity == a)) for a in {step[0] for step in steps}}
    assert stopwatch.spent_s == expected


def test_time_of_before_counts_on() -> None:
    ticks = itertools.count(0, 2)
    stopwatch = Stopwatch({"evaluation": 10.0, "storage": 1.0}, clock=lambda: float(next(ticks)))
    with stopwatch.on("evaluation"):
        pass
    assert stopwatch.spent_s == {"evaluation": 12.0, "storage": 1.0}


def test_time_counts_where_the_block_fails() -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock=clock)
    with pytest.raises(KeyboardInterrupt), stopwatch.on("prediction"):
        clock.now_s += 3.0
        raise KeyboardInterrupt
    assert stopwatch.spent_s == {"prediction": 3.0}


def test_what_was_given_and_what_is_shown_are_copies() -> None:
    before = {"evaluation": 1.0}
    stopwatch = Stopwatch(before, clock=Clock())
    with stopwatch.on("storage"):
        pass
    shown = stopwatch.spent_s
    with stopwatch.on("evolution"):
        pass
    assert before == {"evaluation": 1.0}
    assert shown == {"evaluation": 1.0, "storage": 0.0}
