"""Calibrations: which reference to normalise by, and what the references take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.measurement import NORMALISERS, Normaliser, Round
from hyctas.target import Target, parse_target
from profiler.calibration import PROBES, ProbeRun, calibrate, choose_normaliser, process_error
from profiler.plan import plan_parts
from profiler.reference import reference_id

MakeRound = Callable[..., Round]


def process(round_of: MakeRound, speed: float, **times: float) -> ProbeRun:
    """A process of the given speed, in which some times are of their own."""
    base = {"sample_s": 0.01 * speed, "compute_s": 0.002 * speed, "memory_s": 0.004 * speed}
    return ProbeRun({"probe": (round_of(**{**base, **times}),) * 3})


def test_error_is_the_spread_that_the_reference_leaves(round_of: MakeRound) -> None:
    runs = [process(round_of, speed, memory_s=0.004) for speed in (1.0, 1.5, 2.0)]
    assert process_error(runs, ["probe"], "compute") == pytest.approx(0.0)
    assert process_error(runs, ["probe"], "none") == pytest.approx(1.4826 * 0.5 / 1.5)
    assert process_error(runs, ["probe"], "memory") == pytest.approx(1.4826 * 0.5 / 1.5)


def test_one_disturbed_process_does_not_count(round_of: MakeRound) -> None:
    runs = [process(round_of, speed) for speed in (1.0, 1.01, 0.99, 1.0, 5.0)]
    assert process_error(runs, ["probe"], "none") < 0.02


def test_error_is_the_mean_over_probes(round_of: MakeRound) -> None:
    calm, jumpy = (round_of(0.01),), [(round_of(0.01),), (round_of(0.02),)]
    runs = [ProbeRun({"calm": calm, "jumpy": rounds}) for rounds in jumpy]
    assert process_error(runs, ["calm", "jumpy"], "none") == process_error(runs, ["jumpy"], "none") / 2


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [
        ((0.20, 0.02, 0.05, 0.03), "compute"),
        ((0.20, 0.05, 0.02, 0.03), "memory"),
        ((0.20, 0.05, 0.04, 0.03), "mean"),
        ((0.02, 0.021, 0.05, 0.03), "compute"),
        ((0.01, 0.021, 0.05, 0.03), "none"),
        ((0.0, 0.0, 0.0, 0.0), "compute"),
    ],
)
def test_smallest_error_wins_unless_no_reference_is_clearly_better(
    errors: tuple[float, ...], chosen: Normaliser
) -> None:
    assert choose_normaliser(dict(zip(NORMALISERS, errors, strict=True))) == chosen


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [
        ((0.010, 0.20, 0.20, 0.20), "none"),
        ((0.010, 0.009, 0.20, 0.20), "none"),
        ((0.10, 0.009, 0.02, 0.02), "compute"),
        ((0.0, 0.0, 0.0, 0.0), "none"),
    ],
)
def test_on_a_gpu_references_of_the_host_must_be_clearly_better(errors: tuple[float, ...], chosen: Normaliser) -> None:
    assert choose_normaliser(dict(zip(NORMALISERS, errors, strict=True)), on_gpu=True) == chosen


@pytest.mark.slow
def test_gpu_is_calibrated_by_its_own_clock_while_references_run_on_the_host(
    gpu_target: Target, staged: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.session.RUNTIMES", staged)
    calibration = calibrate(gpu_target, version=1, processes=2)
    assert (calibration.normaliser, calibration.reference_s) == ("none", 1.0)
    assert calibration.process_error["none"] == 0.0
    assert calibration.compute_reference_s > 0.0 and calibration.memory_reference_s > 0.0


def test_latency_is_the_median_ratio(round_of: MakeRound) -> None:
    run = ProbeRun({"probe": tuple(round_of(sample, 0.002) for sample in (0.004, 0.006, 0.100))})
    assert run.latency("probe", "compute") == pytest.approx(3.0)
    assert run.reference_s("compute") == 0.002


def test_probes_are_distinct_workloads() -> None:
    assert len(plan_parts(PROBES)) == len(PROBES)


@pytest.mark.slow
def test_calibration_of_this_machine(target: Target) -> None:
    finished: list[int] = []
    calibration = calibrate(target, version=3, processes=2, on_process=finished.append)
    assert (calibration.version, calibration.processes, finished) == (3, 2, [1, 2])
    assert calibration.compute_reference_s > 0.0 and calibration.memory_reference_s > 0.0
    assert set(calibration.process_error) == set(NORMALISERS)
    assert calibration.normaliser == choose_normaliser(calibration.process_error)
    assert calibration.reference_id == reference_id()


def test_target_without_a_runtime_cannot_be_calibrated(
    staged: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.session.RUNTIMES", staged)
    with pytest.raises(RuntimeUnavailable, match="no runtime 'tensorrt' here"):
        calibrate(parse_target("bench/tensorrt-fp32"), version=1, processes=2)


@pytest.mark.parametrize(("budget_s", "processes"), [(None, 5), (1e-9, 2), (1e6, 5)])
def test_short_budget_ends_calibrating_after_two_processes(
    budget_s: float | None, processes: int, round_of: MakeRound, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def session(settings: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(reference_id="staged")

    monkeypatch.setattr("profiler.calibration.Session", session)
    monkeypatch.setattr("profiler.calibration._probe", lambda *_: process(round_of, 1.0))
    target = parse_target("paper/onnxruntime-fp32-t1")
    assert calibrate(target, version=1, processes=5, budget_s=budget_s).processes == processes
