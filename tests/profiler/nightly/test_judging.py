"""Judging nights: the statistics alone, on numbers whose distribution is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from profiler.nightly.judging import Series, Verdict, holm, judge, judge_again, suspects
from profiler.nightly.scales import common_variance

LEVEL = 0.05


def family(
    rng: np.random.Generator,
    *,
    series: int = 12,
    nights: int = 8,
    noise: float = 0.01,
    between: float = 0.0,
    slower: float = 0.0,
) -> list[Series]:
    """Canaries whose processes and nights differ by normal noise, three a night; the first is slower tonight."""
    of_nights = rng.normal(0.0, between, (series, nights + 1, 1)) if between else 0.0
    values = rng.normal(0.0, noise, (series, nights + 1, 3)) + of_nights
    values[0, -1] += slower
    return [
        Series("t", f"c{number}", "canary", tuple(map(tuple, of.tolist()))[:-1], tuple(of[-1].tolist()))
        for number, of in enumerate(values)
    ]


def judged(of: Sequence[Series]) -> tuple[Verdict, ...]:
    return judge(of, false_alarms=LEVEL, history=5, window=30)


def names(verdicts: Sequence[Verdict]) -> set[str]:
    return {verdict.series.name for verdict in verdicts if verdict.state == "slower"}


@pytest.mark.slow
@pytest.mark.parametrize("between", [0.0, 0.01, 0.03], ids=["nights alike", "nights differ", "nights differ more"])
def test_quiet_nights_are_called_slower_no_more_often_than_stated(between: float) -> None:
    rng = np.random.default_rng(1)
    alarms = sum(bool(names(judged(family(rng, between=between)))) for _ in range(200))
    assert 0 < alarms < stats.binom.isf(0.001, 200, LEVEL)


def test_more_processes_tell_a_smaller_change() -> None:
    canaries = family(np.random.default_rng(8), nights=12)
    reaches = [
        np.mean([verdict.smallest for verdict in judged([replace(s, tonight=(0.0,) * count) for s in canaries])])
        for count in (1, 3, 9)
    ]
    assert reaches == sorted(reaches, reverse=True)
    assert reaches[2] < 0.9 * reaches[1]


def test_slow_down_far_over_the_noise_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        (verdict, *_others) = judged(family(rng, slower=0.1))
        assert verdict.state == "slower"
        assert verdict.change == pytest.approx(math.expm1(0.1), abs=0.04)
        assert 0.0 < verdict.smallest < 0.1


def test_series_is_new_until_it_has_enough_history() -> None:
    short = family(np.random.default_rng(3), nights=4, slower=5.0)
    assert {verdict.state for verdict in judged(short)} == {"new"}
    gone = [replace(series, tonight=()) for series in family(np.random.default_rng(3))]
    assert {verdict.state for verdict in judged(gone)} == {"new"}
    assert judged([]) == ()


def test_only_the_latest_nights_count() -> None:
    quiet = family(np.random.default_rng(4))
    aged = [replace(series, history=((9.0,),) * 20 + series.history) for series in quiet]
    recent = judge(aged, false_alarms=LEVEL, history=5, window=8)
    assert [verdict.change for verdict in recent] == [verdict.change for verdict in judged(quiet)]


def test_one_wild_night_does_not_blind_the_next() -> None:
    (first, *others) = family(np.random.default_rng(5), nights=12, slower=0.1)
    wild = replace(first, history=(*first.history[:-1], (1.0, 1.1, 0.9)))
    assert names(judged([wild, *others])) == {"c0"}


def test_equal_nights_are_not_infinitely_sure() -> None:
    flat = [Series("t", f"c{number}", "canary", ((0.0,) * 3,) * 8, (0.0005,) * 3) for number in range(5)]
    assert names(judged(flat)) == set()


def test_second_look_acquits_and_holds() -> None:
    first = judged(family(np.random.default_rng(6), slower=0.1))
    assert ("t", "c0") in {(v.series.target, v.series.name) for v in suspects(first, 0.1)}
    kept = {"false_alarms": LEVEL, "history": 5, "window": 30}
    acquitted = judge_again(first, {("t", "c0"): (0.0, 0.001, -0.001)}, **kept)
    assert names(acquitted) == set()
    held = judge_again(first, {("t", "c0"): (0.1, 0.101, 0.099)}, **kept)
    assert names(held) == {"c0"}
    assert held[0].adjusted >= held[0].p_value
    without = judge_again(first, {}, **kept)
    assert names(without) == set()


def test_holm_steps_down_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_common_variance_of_equal_series_is_worth_much_and_of_different_ones_little() -> None:
    rng, freedom = np.random.default_rng(7), np.full(60, 9.0)
    equal = rng.chisquare(9.0, 60) / 9.0
    variance, strength = common_variance(equal, freedom)
    assert variance == pytest.approx(1.0, rel=0.15)
    assert strength > 30.0
    _, of_few = common_variance(equal[:4], freedom[:4])
    assert of_few <= 8.0
    _, weak = common_variance(equal * np.exp(rng.normal(0.0, 2.0, 60)), freedom)
    assert weak < 3.0
    assert common_variance(np.array([2.0, 4.0]), np.full(2, 5.0)) == (3.0, 0.0)
