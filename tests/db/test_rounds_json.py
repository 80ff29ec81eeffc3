"""Rounds as JSON: what is read equals what was written, to the last bit."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from db.engine import compact_json
from db.rounds_json import rounds_from_json, rounds_to_json
from hyctas.measurement import Round

numbers = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(numbers, max_size=6).map(tuple)
rounds = st.builds(Round, samples, samples, samples, numbers, st.none() | numbers)


@given(st.lists(rounds, max_size=5).map(tuple))
def test_rounds_come_back_equal(written: tuple[Round, ...]) -> None:
    assert rounds_from_json(json.loads(compact_json(rounds_to_json(written)))) == written


def test_json_holds_one_array_a_quantity() -> None:
    round_ = Round((0.003, 0.1), (0.006,), (0.002,), 0.99)
    assert compact_json(rounds_to_json([round_, round_])) == (
        '{"samples_s":[[0.003,0.1],[0.003,0.1]],"compute_reference_s":[[0.006],[0.006]],'
        '"memory_reference_s":[[0.002],[0.002]],"cpu_share":[0.99,0.99],"clock_hz":[null,null]}'
    )
