"""From what processes saw to the series that are judged."""

from __future__ import annotations

import math

import pytest

from profiler.nightly.judging import Series
from profiler.nightly.series import ALL_CANARIES, REFERENCE, series_of, weighted_median
from profiler.nightly.sightings import Night, Sighting, nights_of

NAMES = {f"k{number}": f"canary {number}" for number in range(6)}


def seen(night: str, process: str, *, factor: float = 1.0, look: int = 1, slow: str = "") -> list[Sighting]:
    """Canaries of one process, all times a factor; one of them a tenth slower."""
    return [
        Sighting(night, look, process, key, factor * (1.1 if key == slow else 1.0), 0.002 * factor) for key in NAMES
    ]


def series(sightings: list[Sighting], *, look: int = 1, **options: object) -> dict[str, Series]:
    nights = nights_of(sightings)
    history = {label: night for label, night in nights.items() if label != "now"}
    tonight = nights_of(sightings, look).get("now", Night())
    slower = options.get("slower", {})
    found = series_of("t", NAMES, history, tonight, slower=slower)  # type: ignore[arg-type]
    return {each.name: each for each in found}


def before() -> list[Sighting]:
    """Three nights of two processes, which differ by what all canaries have in common."""
    factors = iter((1.02, 0.98, 1.01, 0.99, 1.03, 0.97))
    return [
        one for night in "abc" for process in "12" for one in seen(night, f"{night}{process}", factor=next(factors))
    ]


def test_one_slow_canary_is_its_own() -> None:
    found = series([*before(), *seen("now", "p", slow="k2")])
    assert found["canary 2"].tonight == pytest.approx((math.log(1.1),), abs=0.01)
    assert found["canary 1"].tonight == pytest.approx((0.0,), abs=0.01)
    assert found[ALL_CANARIES].tonight == pytest.approx((0.0,), abs=0.01)
    assert all(night == pytest.approx((0.0, 0.0), abs=0.01) for night in found["canary 2"].history)


def test_slow_runtime_is_common_to_all_and_the_machine_to_the_reference() -> None:
    found = series([*before(), *seen("now", "p", factor=1.2)])
    assert found["canary 1"].tonight == pytest.approx((0.0,), abs=0.01)
    assert found[ALL_CANARIES].tonight == pytest.approx((math.log(1.2),), abs=0.01)
    assert found[REFERENCE].value == pytest.approx(math.log(0.0024))


def test_few_canaries_have_nothing_in_common() -> None:
    few = [one for one in [*before(), *seen("now", "p", factor=1.2)] if one.workload_key in ("k0", "k1")]
    found = series(few)
    assert found["canary 0"].tonight == pytest.approx((math.log(1.2),))
    assert ALL_CANARIES not in found


def test_looks_are_kept_apart_and_failures_left_out() -> None:
    failed = Sighting("now", 1, "q", "k0", None, None, "crash: it died")
    sightings = [*before(), *seen("now", "p"), failed, *seen("now", "r", look=2, slow="k0")]
    assert len(series(sightings)["canary 0"].tonight) == 1
    assert series(sightings, look=2)["canary 0"].tonight == pytest.approx((math.log(1.1),), abs=0.01)


def test_nights_that_were_slower_are_no_history() -> None:
    sightings = [*before(), *seen("now", "p")]
    found = series(sightings, slower={"b": {"canary 3", ALL_CANARIES}})
    assert [len(found[name].history) for name in ("canary 3", "canary 2", ALL_CANARIES)] == [2, 3, 2]


def test_without_a_normaliser_there_is_no_reference() -> None:
    bare = [Sighting(s.night, s.look, s.process_id, s.workload_key, s.ratio, None) for s in before()]
    assert REFERENCE not in series([*bare, Sighting("now", 1, "p", "k0", 1.0, None)])


def test_canary_that_goes_its_own_way_is_judged_as_it_is() -> None:
    """What the others have in common would only add to what a canary differs by."""
    steady = [Sighting(s.night, 1, s.process_id, "k5", 1.0, None) for s in before() if s.workload_key == "k5"]
    others = [s for s in before() if s.workload_key != "k5"]
    found = series([*others, *steady, *seen("now", "p", factor=1.05)])
    assert found["canary 5"].tonight == pytest.approx((math.log(1.05),))
    assert found["canary 4"].tonight == pytest.approx((0.0,), abs=0.01)


def test_no_canary_alone_says_what_is_common() -> None:
    """One that never varies still counts for four others at most: its slow-down is its own."""
    exact = [Sighting(s.night, 1, s.process_id, "k0", 1.0, None) for s in before() if s.workload_key == "k0"]
    names = {f"k{number}" for number in range(1, 6)}
    others = [s for s in before() if s.workload_key in names]
    found = series([*exact, *others, *seen("now", "p", slow="k0")])
    assert found["canary 0"].tonight == pytest.approx((math.log(1.1),), abs=0.01)
    assert found[ALL_CANARIES].tonight == pytest.approx((0.0,), abs=0.02)


def test_weighted_median_is_where_half_of_the_weight_is() -> None:
    assert weighted_median([(3.0, 1.0), (1.0, 1.0), (2.0, 1.0)]) == 2.0
    assert weighted_median([(3.0, 5.0), (1.0, 1.0), (2.0, 1.0)]) == 3.0
    assert weighted_median([(7.0, 0.1)]) == 7.0
    with pytest.raises(ValueError, match="no value"):
        weighted_median([])
