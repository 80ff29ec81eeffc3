"""From what processes saw to the series that are judged."""

from __future__ import annotations

import math

import pytest

from profiler.nightly.judging import Series
from profiler.nightly.sightings import ALL_CANARIES, REFERENCE, Night, Sighting, nights_of, series_of

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
    return [one for night in "abc" for process in "12" for one in seen(night, f"{night}{process}")]


def test_one_slow_canary_is_its_own() -> None:
    found = series([*before(), *seen("now", "p", slow="k2")])
    assert found["canary 2"].tonight == pytest.approx((math.log(1.1),))
    assert found["canary 1"].tonight == pytest.approx((0.0,))
    assert found[ALL_CANARIES].tonight == pytest.approx((0.0,))
    assert found["canary 2"].history == ((0.0, 0.0),) * 3


def test_slow_runtime_is_common_to_all_and_the_machine_to_the_reference() -> None:
    found = series([*before(), *seen("now", "p", factor=1.2)])
    assert found["canary 1"].tonight == pytest.approx((0.0,))
    assert found[ALL_CANARIES].tonight == pytest.approx((math.log(1.2),))
    assert found[REFERENCE].value - found[REFERENCE].history[0][0] == pytest.approx(math.log(1.2))


def test_few_canaries_have_nothing_in_common() -> None:
    few = [one for one in [*before(), *seen("now", "p", factor=1.2)] if one.workload_key in ("k0", "k1")]
    assert series(few)["canary 0"].tonight == pytest.approx((math.log(1.2),))


def test_looks_are_kept_apart_and_failures_left_out() -> None:
    failed = Sighting("now", 1, "q", "k0", None, None, "crash: it died")
    sightings = [*before(), *seen("now", "p"), failed, *seen("now", "r", look=2, slow="k0")]
    assert len(series(sightings)["canary 0"].tonight) == 1
    assert series(sightings, look=2)["canary 0"].tonight == pytest.approx((math.log(1.1),))


def test_nights_that_were_slower_are_no_history() -> None:
    sightings = [*before(), *seen("now", "p")]
    found = series(sightings, slower={"b": {"canary 3", ALL_CANARIES}})
    assert [len(found[name].history) for name in ("canary 3", "canary 2", ALL_CANARIES)] == [2, 3, 2]


def test_without_a_normaliser_there_is_no_reference() -> None:
    bare = [Sighting(s.night, s.look, s.process_id, s.workload_key, s.ratio, None) for s in before()]
    assert REFERENCE not in series([*bare, Sighting("now", 1, "p", "k0", 1.0, None)])
