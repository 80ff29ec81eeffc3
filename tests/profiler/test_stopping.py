"""The stopping rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.measurement import DeviceConditions, Protocol, Round
from hyctas.target import parse_target
from profiler.stopping import StoppingRule

MakeRound = Callable[..., Round]
PROTOCOL = Protocol(min_rounds=5, max_rounds=12, relative_half_width=0.01, min_cpu_share=0.95, budget_s=10.0)
ONE_THREAD, GPU = parse_target("bench/onnxruntime-fp32-t1"), parse_target("bench/tensorrt-fp16")
RULE = StoppingRule(PROTOCOL, "compute", ONE_THREAD)


@pytest.mark.parametrize(("count", "finished"), [(0, False), (4, False), (5, True)])
def test_equal_rounds_settle_at_the_least_number(round_of: MakeRound, count: int, finished: bool) -> None:
    assert RULE.finished([round_of()] * count, 0.0) is finished


def test_scattered_rounds_go_on_until_the_last_round(round_of: MakeRound) -> None:
    rounds = [round_of(0.003 * (1 + index % 3)) for index in range(12)]
    assert not RULE.finished(rounds[:11], 0.0)
    assert RULE.finished(rounds, 0.0)
    assert not RULE.settled(rounds)


def test_spent_budget_ends_what_has_not_settled(round_of: MakeRound) -> None:
    assert not RULE.finished([round_of()], 9.9)
    assert RULE.finished([round_of()], 10.0)


def test_rounds_without_the_cpu_count_for_nothing(round_of: MakeRound) -> None:
    starved = [round_of(0.009, cpu=0.6)] * 4
    assert not RULE.finished([*starved, *[round_of()] * 4], 0.0)
    assert RULE.finished([*starved, *[round_of()] * 5], 0.0)


def test_cpu_share_says_nothing_on_several_threads(round_of: MakeRound) -> None:
    rule = StoppingRule(PROTOCOL, "compute", parse_target("bench/onnxruntime-fp32-t2"))
    assert rule.finished([round_of(cpu=0.6)] * 5, 0.0)


def test_waiting_host_thread_of_a_gpu_loses_no_round(round_of: MakeRound) -> None:
    assert StoppingRule(PROTOCOL, "none", GPU).finished([round_of(cpu=0.02)] * 5, 0.0)


def test_throttled_rounds_count_for_nothing(round_of: MakeRound) -> None:
    rule = StoppingRule(PROTOCOL, "none", GPU)
    hot = replace(round_of(0.009), conditions=DeviceConditions(throttle_reasons=("hw_thermal_slowdown",)))
    assert not rule.finished([*[hot] * 4, *[round_of()] * 4], 0.0)
    assert rule.finished([*[hot] * 4, *[round_of()] * 5], 0.0)


def test_drift_that_the_reference_shares_does_not_matter(round_of: MakeRound) -> None:
    drifting = [round_of(0.003 * speed, 0.002 * speed) for speed in (1.0, 1.1, 1.3, 1.5, 1.6)]
    assert RULE.settled(drifting)
    assert not StoppingRule(PROTOCOL, "none", ONE_THREAD).settled(drifting)


@given(st.lists(st.floats(1e-6, 10.0), max_size=30))
def test_rule_ends_every_sequence_and_never_before_the_least_number(samples: list[float]) -> None:
    rounds: list[Round] = []
    for sample in samples:
        if RULE.finished(rounds, 0.0):
            break
        rounds.append(Round((sample,), (0.002,), (0.004,), 1.0))
    assert len(rounds) <= PROTOCOL.max_rounds
    assert not RULE.finished(rounds, 0.0) or len(rounds) >= PROTOCOL.min_rounds
