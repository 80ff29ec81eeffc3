"""Rounds as JSON: what is read equals what was written, to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.engine import compact_json
from db.rounds_json import rounds_from_json, rounds_to_json
from hyctas.measurement import THROTTLING, DeviceConditions, Round

numbers = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(numbers, max_size=6).map(tuple)
conditions = st.builds(
    DeviceConditions,
    *[st.none() | numbers] * 4,
    st.lists(st.sampled_from(THROTTLING), max_size=3).map(tuple),
    st.none() | st.integers(0, 99),
    st.none() | st.integers(0, 2**40),
)
rounds = st.builds(Round, samples, samples, samples, numbers, st.none() | numbers, st.none() | conditions)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine drawing alone takes long
@given(st.lists(rounds, max_size=5).map(tuple))
def test_rounds_come_back_equal(written: tuple[Round, ...]) -> None:
    assert rounds_from_json(json.loads(compact_json(rounds_to_json(written)))) == written


def test_json_holds_one_array_a_quantity() -> None:
    round_ = Round((0.003, 0.1), (0.006,), (0.002,), 0.99)
    assert compact_json(rounds_to_json([round_, round_])) == (
        '{"samples_s":[[0.003,0.1],[0.003,0.1]],"compute_reference_s":[[0.006],[0.006]],'
        '"memory_reference_s":[[0.002],[0.002]],"cpu_share":[0.99,0.99],"clock_hz":[null,null]}'
    )


def test_rounds_that_were_written_before_there_were_conditions_are_read() -> None:
    round_ = Round((0.003,), (0.006,), (0.002,), 0.99)
    document = rounds_to_json([round_])
    assert "conditions" not in document
    assert rounds_from_json(document) == (round_,)


def test_conditions_of_a_newer_version_are_read_as_far_as_they_are_known() -> None:
    seen = DeviceConditions(sm_clock_hz=2e9, throttle_reasons=("sw_power_cap",))
    round_ = Round((0.003,), (0.006,), (0.002,), 0.99, None, seen)
    document = json.loads(compact_json(rounds_to_json([round_, replace(round_, conditions=None)])))
    document["conditions"][0]["fan_speed"] = 0.4
    del document["conditions"][0]["power_w"]
    assert rounds_from_json(document) == (round_, replace(round_, conditions=None))
