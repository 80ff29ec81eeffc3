"""The summary's numbers and words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from profiler.session import Timing
from profiler.summary import (
    ProfileSummary,
    failure_counts,
    instability_counts,
    per_hour,
    reference_drift,
    summary_json,
    summary_text,
)

SUMMARY = ProfileSummary(
    planned=10,
    already_measured=2,
    measured=5,
    unstable=1,
    unstable_because={"all rounds were disturbed: sw_power_cap": 1},
    failed={"crash: SIGSEGV": 1},
    without_marginal={"build: no": 2},
    remaining=1,
    noise_between=0.0123,
    noise_within=None,
    repeats=3,
    timing=Timing(90.0, 70.0, 12.0),
    wall_s=100.0,
    per_hour=180.0,
    reference_drift=0.02,
    interrupted=False,
)


def test_words_name_every_number(calibration: Calibration) -> None:
    text = summary_text(SUMMARY, calibration, 0.01)
    for part in (
        "5 measured, 1 unstable, 1 failed, 2 were known, 1 of 10 remain",
        "unstable: 1 x all rounds were disturbed: sw_power_cap",
        "failed: 1 x crash: SIGSEGV",
        "without marginal cost: 2 x build: no",
        "1.23% between processes (3 workloads), unknown within one",
        "normalised by: compute",
        "180 workloads an hour at 1% half-width; 70% of 100 s in timed runs, 12% in preparing",
    ):
        assert part in text
    assert "warning" not in text and "interrupted" not in text


def test_alarm_and_interruption_are_said(calibration: Calibration) -> None:
    text = summary_text(replace(SUMMARY, reference_drift=-0.2, interrupted=True), calibration, 0.01)
    assert "-20%" in text and "--recalibrate" in text
    assert "run the same command again" in text


def test_json_holds_fields_and_shares() -> None:
    document = json.loads(json.dumps(summary_json(SUMMARY)))
    assert (document["timed_share"], document["prepare_share"], document["machine_changed"]) == (0.7, 0.12, False)
    assert document["timing"]["timed_s"] == 70.0
    assert document["noise_within"] is None


def test_shares_of_no_time_are_zero() -> None:
    nothing = replace(SUMMARY, wall_s=0.0)
    assert (nothing.timed_share, nothing.prepare_share, per_hour(5, 0.0)) == (0.0, 0.0, 0.0)


@pytest.fixture
def measurement(calibration: Calibration) -> Callable[..., Measurement]:
    def measurement(*rounds: Round, failure: Failure | None = None) -> Measurement:
        return Measurement("w", calibration.target, rounds, 1e-5, Protocol(), {}, failure=failure)

    return measurement


def test_failures_are_counted_by_reason(measurement: Callable[..., Measurement]) -> None:
    crash, timeout = Failure("crash", "x"), Failure("timeout", "y")
    measurements = [measurement(failure=crash), measurement(failure=timeout), measurement(failure=crash), measurement()]
    assert failure_counts(measurements) == {"crash: x": 2, "timeout: y": 1}


def test_counts_survive_json(measurement: Callable[..., Measurement], round_of: Callable[..., Round]) -> None:
    failed = failure_counts([measurement(failure=Failure("crash", "x"))])
    unstable = instability_counts([measurement(*[round_of(cpu=0.5)] * 5)], "none")
    document = json.loads(json.dumps(summary_json(replace(SUMMARY, failed=failed, unstable_because=unstable))))
    assert document["failed"] == {"crash: x": 1}
    assert document["unstable_because"] == {"all rounds were disturbed: shared CPU": 1}


def test_reasons_of_instability_are_counted(
    measurement: Callable[..., Measurement], round_of: Callable[..., Round], calibration: Calibration
) -> None:
    alone, starved = measurement(*[round_of()] * 5), measurement(*[round_of(cpu=0.5)] * 5)
    scattered = measurement(*[round_of(0.003 * step) for step in range(1, 6)])
    counts = instability_counts([alone, starved, scattered, starved, measurement()], calibration.normaliser)
    assert counts == {"all rounds were disturbed: shared CPU": 2, "the interval is too wide": 1}


def test_drift_is_that_of_the_reference_that_normalises(
    calibration: Calibration, measurement: Callable[..., Measurement], round_of: Callable[..., Round]
) -> None:
    measured = [measurement(round_of(0.003, 0.003, 0.016))]
    assert reference_drift(measured, calibration) == pytest.approx(0.5)
    assert reference_drift(measured, replace(calibration, normaliser="memory")) == pytest.approx(3.0)
    assert reference_drift(measured, replace(calibration, normaliser="none")) == pytest.approx(6.0**0.5 - 1)
    assert reference_drift([], calibration) == 0.0
