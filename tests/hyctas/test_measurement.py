"""Measurements: ratios, medians, intervals, statuses, calibrations."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.measurement import (
    NORMALISERS,
    THROTTLING,
    Calibration,
    DeviceConditions,
    Failure,
    Measurement,
    Normaliser,
    Protocol,
    Round,
    ratios,
    relative_half_width,
    throttling,
    undisturbed,
)
from hyctas.target import parse_target

TARGET = parse_target("bench/onnxruntime-fp32-t1")
CALIBRATION = Calibration(
    TARGET, 1, 0.002, 0.008, "compute", {"none": 0.2, "compute": 0.01, "memory": 0.05, "mean": 0.03}, "r", 5
)
seconds = st.floats(1e-6, 1e2)


def a_round(sample_s: float = 0.003, compute_s: float = 0.002, memory_s: float = 0.008, cpu: float = 1.0) -> Round:
    return Round((sample_s,) * 3, (compute_s,) * 2, (memory_s,) * 2, cpu)


def a_measurement(*rounds: Round, target: str = "bench/onnxruntime-fp32-t1") -> Measurement:
    return Measurement("w", parse_target(target), rounds, 1e-5, Protocol(), {})


@pytest.mark.parametrize(("normaliser", "expected"), [("none", 1.0), ("compute", 0.002), ("memory", 0.008)])
def test_reference_of_a_round_is_a_median(normaliser: Normaliser, expected: float) -> None:
    disturbed = Round((0.003,), (0.002, 0.002, 0.9), (0.008, 0.008, 0.9), 1.0)
    assert disturbed.reference_s(normaliser) == expected


def test_mean_reference_is_geometric() -> None:
    assert a_round().reference_s("mean") == pytest.approx(0.004)


def test_latency_is_the_median_ratio_times_the_calibrated_reference() -> None:
    rounds = [a_round(0.003, 0.002), a_round(0.006, 0.004), a_round(0.5, 0.003)]
    assert a_measurement(*rounds).latency_s(CALIBRATION) == pytest.approx(1.5 * 0.002)


@given(st.lists(st.tuples(seconds, seconds), min_size=3, max_size=9), seconds)
def test_speed_of_the_machine_cancels(times: list[tuple[float, float]], speed: float) -> None:
    slow = a_measurement(*(a_round(sample * speed, reference * speed) for sample, reference in times))
    fast = a_measurement(*(a_round(sample, reference) for sample, reference in times))
    assert slow.latency_s(CALIBRATION) == pytest.approx(fast.latency_s(CALIBRATION))
    assert slow.half_width("compute") == pytest.approx(fast.half_width("compute"), abs=1e-9)


def test_rounds_without_the_cpu_do_not_count() -> None:
    good, starved = [a_round(0.003)] * 5, [a_round(0.009, cpu=0.6)] * 6
    measurement = a_measurement(*starved, *good)
    assert measurement.undisturbed == tuple(good)
    assert measurement.ratios("compute") == (1.5,) * 5
    assert measurement.status("compute") == "ok"
    assert measurement.cpu_share == 0.6


def test_measurement_that_never_had_the_cpu_has_a_latency_but_is_unstable() -> None:
    measurement = a_measurement(*[a_round(cpu=0.6)] * 9)
    assert measurement.latency_s(CALIBRATION) == pytest.approx(0.003)
    assert measurement.half_width("compute") == math.inf
    assert measurement.status("compute") == "unstable"


def test_cpu_share_means_nothing_on_several_threads() -> None:
    rounds = [a_round(cpu=0.6)] * 3
    targets = [parse_target(f"bench/{name}") for name in ("onnxruntime-fp32-t2", "onnxruntime-fp32", "tensorrt-fp16")]
    assert [undisturbed(rounds, Protocol(), target) for target in targets] == [tuple(rounds)] * 3
    assert a_measurement(*rounds, target="bench/onnxruntime-fp32-t2").status("compute") == "ok"


def test_status_of_scattered_rounds_is_unstable() -> None:
    measurement = a_measurement(*(a_round(0.003 * (1 + step / 10)) for step in range(7)))
    assert measurement.status("compute") == "unstable"
    assert measurement.instability("compute") == "the interval is too wide"


def throttled(*reasons: str, sample_s: float = 0.009) -> Round:
    return replace(a_round(sample_s, cpu=0.1), conditions=DeviceConditions(throttle_reasons=reasons))


@pytest.mark.parametrize("reason", THROTTLING)
def test_throttled_rounds_do_not_count(reason: str) -> None:
    cool = throttled("gpu_idle", sample_s=0.003)
    measurement = a_measurement(*[throttled(reason)] * 6, *[cool] * 5, target="bench/tensorrt-fp16")
    assert measurement.undisturbed == (cool,) * 5
    assert measurement.status("none") == "ok"
    assert measurement.instability("none") is None


def test_measurement_that_was_always_throttled_is_unstable_and_says_so() -> None:
    measurement = a_measurement(
        *[throttled("sw_power_cap", "gpu_idle")] * 4, throttled("hw_slowdown"), target="bench/tensorrt-fp16"
    )
    assert measurement.status("none") == "unstable"
    assert measurement.latency_s(replace(CALIBRATION, normaliser="none")) == 0.009
    assert measurement.instability("none") == "all rounds were disturbed: hw_slowdown, sw_power_cap"


def test_measurement_without_the_cpu_says_so() -> None:
    assert a_measurement(*[a_round(cpu=0.6)] * 9).instability("none") == "all rounds were disturbed: shared CPU"
    few = a_measurement(*[a_round(cpu=0.6)] * 9, a_round(), a_round())
    assert few.instability("none") == "most rounds were disturbed: shared CPU"


def test_power_cap_may_be_accepted() -> None:
    capped = [throttled("sw_power_cap")] * 5
    measurement = replace(
        a_measurement(*capped, target="bench/tensorrt-fp16"), protocol=Protocol(reject_power_cap=False)
    )
    assert measurement.status("none") == "ok"
    assert throttling(throttled("sw_power_cap", "hw_slowdown"), measurement.protocol) == ("hw_slowdown",)


def test_failed_measurement_is_not_unstable() -> None:
    assert a_measurement().instability("none") is None


def test_failure_and_no_rounds_are_failed_and_have_no_latency() -> None:
    crashed = replace(a_measurement(a_round()), failure=Failure("crash", "signal 11"))
    for measurement in (crashed, a_measurement()):
        assert measurement.status("none") == "failed"
        assert measurement.latency_s(CALIBRATION) is None
    assert a_measurement().wall_s is None
    assert a_measurement().cpu_share == 0.0


def test_half_width_of_known_ratios() -> None:
    values = (1.0, 1.1, 0.9, 1.2, 0.8)
    assert relative_half_width(values) == pytest.approx(1.96 * 1.2533 * 1.4826 * 0.1 / math.sqrt(5))
    assert relative_half_width(tuple(value * 7 for value in values)) == pytest.approx(relative_half_width(values))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_half_width_under_three_rounds_is_infinite(count: int) -> None:
    assert relative_half_width((1.0,) * count) == math.inf


def test_half_width_around_zero_is_infinite() -> None:
    assert relative_half_width((0.0,) * 5) == math.inf


def test_interval_holds_the_median_of_normal_noise_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    trials = rng.normal(1.0, 0.05, size=(2000, 25))
    held = [abs(median(trial) - 1.0) <= relative_half_width(tuple(trial)) * median(trial) for trial in trials.tolist()]
    assert 0.90 <= sum(held) / len(held) <= 0.98


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_calibrated_reference_is_that_of_a_round_like_it(normaliser: Normaliser) -> None:
    calibration = replace(CALIBRATION, normaliser=normaliser)
    assert calibration.reference_s == calibration.reference_under(normaliser) == a_round().reference_s(normaliser)
    assert a_measurement(*[a_round()] * 3).latency_s(calibration) == pytest.approx(0.003)


def test_ratios_are_one_a_round() -> None:
    assert ratios([a_round(0.003), a_round(0.004)], "none") == (0.003, 0.004)
    assert ratios([], "compute") == ()
