from __future__ import annotations

import numpy as np
import pytest

from hyctas.prediction import Tier
from search.candidate import Candidate
from search.trust import doubtful, random_sample
from tests.search.scored import candidate, numbers, prediction


def sure(number: int, miou: float | None, latency_s: float, *, tier: Tier = "learned") -> Candidate:
    """A candidate whose interval holds nothing but the prediction."""
    return candidate(number, miou, prediction(latency_s, tier=tier))


def unsure(
    number: int, miou: float | None, low_s: float, latency_s: float, high_s: float, *, tier: Tier = "learned"
) -> Candidate:
    return candidate(number, miou, prediction(latency_s, low_s, high_s, tier=tier))


def test_narrow_intervals_leave_no_doubt() -> None:
    assert doubtful([sure(0, 0.5, 1.0), sure(1, 0.6, 2.0), sure(2, 0.4, 3.0)], 0) == []


def test_nothing_known_is_nothing_to_doubt() -> None:
    assert doubtful([], 0) == []
    assert doubtful([unsure(0, None, 0.1, 1.0, 9.0)], 0) == []


def test_a_front_member_is_in_doubt_where_its_slow_end_lets_another_dominate_it() -> None:
    reaching = unsure(0, 0.5, 0.9, 1.0, 2.5)
    assert numbers(doubtful([reaching, sure(1, 0.6, 2.0)], 0)) == [0]
    short_of_it = unsure(0, 0.5, 0.9, 1.0, 1.9)
    assert doubtful([short_of_it, sure(1, 0.6, 2.0)], 0) == []


def test_a_front_member_that_no_other_beats_in_miou_stays_however_slow() -> None:
    assert doubtful([unsure(0, 0.7, 0.9, 1.0, 99.0), sure(1, 0.6, 2.0), sure(2, 0.5, 0.5)], 0) == []


def test_a_network_beside_the_front_is_in_doubt_where_its_fast_end_would_enter() -> None:
    front = [sure(0, 0.5, 1.0), sure(1, 0.6, 2.0)]
    assert numbers(doubtful([*front, unsure(2, 0.55, 1.5, 2.2, 2.4)], 0)) == [2]
    assert doubtful([*front, unsure(2, 0.55, 2.1, 2.2, 2.4)], 0) == []


def test_touching_a_network_that_is_better_is_not_entering() -> None:
    front = [sure(0, 0.5, 1.0), sure(1, 0.6, 2.0)]
    assert doubtful([*front, unsure(2, 0.55, 2.0, 2.2, 2.4)], 0) == []


@pytest.mark.parametrize("tier", ["extrapolated", "additive", "estimated"])
def test_a_front_member_of_an_untrusted_tier_is_in_doubt_however_narrow(tier: Tier) -> None:
    candidates = [sure(0, 0.5, 1.0, tier=tier), sure(1, 0.6, 2.0), sure(2, 0.4, 3.0, tier=tier)]
    assert numbers(doubtful(candidates, 0)) == [0]


def test_what_was_measured_is_never_in_doubt() -> None:
    reaching = unsure(0, 0.5, 0.1, 1.0, 99.0, tier="measured")
    entering = unsure(2, 0.55, 0.1, 2.2, 99.0, tier="measured")
    assert doubtful([reaching, sure(1, 0.6, 2.0), entering], 0) == []


def test_the_front_comes_first_and_the_widest_interval_first_in_it() -> None:
    candidates = [
        unsure(0, 0.50, 0.9, 1.0, 2.1),
        unsure(1, 0.60, 1.9, 2.0, 9.0),
        sure(2, 0.70, 3.0),
        unsure(3, 0.55, 1.5, 2.5, 3.0),
        unsure(4, 0.45, 0.2, 2.5, 90.0),
    ]
    assert numbers(doubtful(candidates, 0)) == [1, 0, 4, 3]


def test_equal_doubts_keep_their_order() -> None:
    candidates = [sure(n, 0.5 + 0.05 * n, 1.0 + n, tier="additive") for n in range(4)]
    assert numbers(doubtful(candidates, 0)) == [0, 1, 2, 3]


def test_each_target_has_doubts_of_its_own() -> None:
    candidates = [
        candidate(0, 0.5, prediction(1.0), prediction(1.0, 0.9, 2.5)),
        candidate(1, 0.6, prediction(2.0), prediction(2.0)),
    ]
    assert doubtful(candidates, 0) == []
    assert numbers(doubtful(candidates, 1)) == [0]


def test_a_network_without_miou_puts_nobody_in_doubt() -> None:
    assert doubtful([unsure(0, 0.5, 0.9, 1.0, 2.5), sure(1, None, 2.0)], 0) == []


def test_a_random_sample_has_no_network_twice_and_follows_its_source() -> None:
    front = [sure(n, 0.5, 1.0) for n in range(10)]
    drawn = random_sample(front, 4, np.random.default_rng(3))
    assert len(set(numbers(drawn))) == 4
    assert numbers(random_sample(front, 4, np.random.default_rng(3))) == numbers(drawn)
    assert numbers(random_sample(front, 4, np.random.default_rng(4))) != numbers(drawn)


def test_a_small_front_is_drawn_as_a_whole() -> None:
    front = [sure(n, 0.5, 1.0) for n in range(3)]
    assert sorted(numbers(random_sample(front, 8, np.random.default_rng(0)))) == [0, 1, 2]
    assert random_sample([], 8, np.random.default_rng(0)) == []
    assert random_sample(front, 0, np.random.default_rng(0)) == []
