"""Contract: storing measurements, filters and pages, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from db.records import ArchitectureRecord, MeasurementFilter, WorkloadRecord
from db.repository import Repository
from hyctas.errors import StorageError, UnknownTarget
from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from hyctas.target import Target, parse_target

Measured = Callable[..., Measurement]
MakeWorkload = Callable[..., WorkloadRecord]


@pytest.fixture
def run(
    repository: Repository,
    target: Target,
    calibration: Calibration,
    workload: MakeWorkload,
    network: Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]],
) -> int:
    """A run whose workloads ``w``, ``sa`` and network ``n-x`` are stored."""
    lowered, architecture = network("x")
    repository.add_workloads([workload("w"), workload("sa", operator="sa", stride=1, height=24, c_in=48), lowered])
    repository.add_architectures([architecture, replace(architecture, key="a-same-work")])
    repository.add_calibration(calibration)
    return repository.start_run("operators", target, {})


def test_measurement_comes_back_to_the_last_bit(
    repository: Repository, run: int, calibration: Calibration, measured: Measured
) -> None:
    rounds = (
        Round((0.1 + 0.2, 1e-300, 5e-324), (1 / 3,), (2 / 3,), 0.95, None),
        Round((0.0001,), (0.006, 0.007), (0.002,), 1.0, 3.3e9),
    )
    stored = measured(
        "w", rounds=rounds, protocol=Protocol(max_rounds=30), metric="compute_time", engine={"plan_bytes": "7"}
    )
    number = repository.add_measurement(run, stored, calibration=calibration)
    assert repository.measurement(number) == stored
    assert [row.engine for row in repository.measurements()] == [{"plan_bytes": "7"}]


def test_failed_measurement_comes_back(repository: Repository, run: int, measured: Measured, crash: Failure) -> None:
    stored = measured("w", rounds=(), failure=crash)
    number = repository.add_measurement(run, stored, calibration=None)
    assert repository.measurement(number) == stored
    (row,) = repository.measurements()
    assert (row.status, row.latency_s, row.wall_s, row.half_width) == ("failed", None, None, None)
    assert (row.failure_kind, row.failure_message) == ("crash", "signal 11 while it ran")


def test_row_holds_what_the_domain_computes(
    repository: Repository, run: int, calibration: Calibration, measured: Measured, target: Target
) -> None:
    measurement = measured("w")
    number = repository.add_measurement(run, measurement, calibration=calibration)
    (row,) = repository.measurements()
    assert row.latency_s == measurement.latency_s(calibration) == pytest.approx(0.0025)
    assert row.wall_s == measurement.wall_s == 0.003
    assert (row.half_width, row.status, row.normaliser, row.calibration_version) == (0.0, "ok", "compute", 1)
    assert (row.id, row.run_id, row.target, row.workload_key) == (number, run, target, "w")
    assert (row.operator, row.kind, row.height, row.width) == ("conv", "operator", 48, 96)
    assert (row.c_in, row.c_out, row.stride, row.architecture_key) == (12, 24, 2, None)
    assert (row.metric, row.protocol_version, row.process_id, row.purpose) == ("host_time", 1, "p1", "primary")
    assert row.environment == measurement.environment
    assert row.created_at.utcoffset() == timedelta(0)


def test_latency_without_calibration_is_wall_time(repository: Repository, run: int, measured: Measured) -> None:
    repository.add_measurement(run, measured("w"), calibration=None)
    (row,) = repository.measurements()
    assert (row.latency_s, row.normaliser, row.calibration_version) == (row.wall_s, "none", None)


def test_network_row_names_its_first_architecture(repository: Repository, run: int, measured: Measured) -> None:
    repository.add_measurement(run, measured("n-x"), calibration=None)
    (row,) = repository.measurements(MeasurementFilter(kind="network"))
    assert (row.architecture_key, row.stride) == ("a-same-work", None)


def test_second_ok_measurement_is_kept_as_repeat(repository: Repository, run: int, measured: Measured) -> None:
    for process in ("p1", "p2", "p3"):
        repository.add_measurement(run, measured("w", process=process), calibration=None)
    rows = repository.measurements()
    assert [(row.process_id, row.purpose) for row in rows] == [("p1", "primary"), ("p2", "repeat"), ("p3", "repeat")]


def test_primary_is_one_a_protocol_version_and_metric(repository: Repository, run: int, measured: Measured) -> None:
    for changes in ({}, {"protocol": Protocol(version=2)}, {"metric": "compute_time"}):
        repository.add_measurement(run, measured("w", **changes), calibration=None)
    assert {row.purpose for row in repository.measurements()} == {"primary"}


def test_unstable_and_failed_tries_are_all_kept(
    repository: Repository, run: int, measured: Measured, unsettled: tuple[Round, ...], crash: Failure, target: Target
) -> None:
    for changes in ({"rounds": unsettled}, {"rounds": unsettled}, {"failure": crash}):
        repository.add_measurement(run, measured("w", **changes), calibration=None)
    assert [row.status for row in repository.measurements()] == ["unstable", "unstable", "failed"]
    assert {row.purpose for row in repository.measurements()} == {"primary"}
    assert repository.measured_status(target, 1) == {"w": "failed"}


def test_status_is_ok_once_one_was(
    repository: Repository, run: int, measured: Measured, crash: Failure, target: Target
) -> None:
    repository.add_measurement(run, measured("w"), calibration=None)
    repository.add_measurement(run, measured("w", failure=crash), calibration=None)
    repository.add_measurement(run, measured("sa"), calibration=None, purpose="repeat")
    assert repository.measured_status(target, 1) == {"w": "ok"}
    assert repository.measured_status(target, 2) == {}
    assert repository.measured_status(target, 1, metric="compute_time") == {}
    assert repository.measured_status(parse_target("a100/tensorrt-fp16"), 1) == {}


def test_references_must_be_stored(
    repository: Repository, run: int, measured: Measured, calibration: Calibration, target: Target
) -> None:
    with pytest.raises(StorageError, match="run 99 does not exist"):
        repository.add_measurement(99, measured("w"), calibration=None)
    with pytest.raises(StorageError, match="'unheard'; add_workloads"):
        repository.add_measurement(run, measured("unheard"), calibration=None)
    with pytest.raises(StorageError, match=r"calibration 2 .* add_calibration"):
        repository.add_measurement(run, measured("w"), calibration=replace(calibration, version=2))
    with pytest.raises(UnknownTarget):
        repository.add_measurement(
            run, replace(measured("w"), target=parse_target("a100/tensorrt-fp16")), calibration=None
        )
    with pytest.raises(StorageError, match="measurement 5 does not exist"):
        repository.measurement(5)
    assert repository.count() == 0


def test_number_that_is_not_finite_is_refused(repository: Repository, run: int, measured: Measured) -> None:
    with pytest.raises(StorageError):
        repository.add_measurement(
            run,
            measured("w", call_floor_s=2.0, rounds=(Round((float("nan"),), (1.0,), (1.0,), 1.0),)),
            calibration=None,
        )
    assert repository.count() == 0


def test_marginal_is_set_beside_the_latency(repository: Repository, run: int, measured: Measured) -> None:
    number = repository.add_measurement(run, measured("w"), calibration=None)
    repository.set_marginal(number, 0.0021)
    (row,) = repository.measurements()
    assert (row.marginal_s, row.latency_s) == (0.0021, 0.003)
    with pytest.raises(StorageError, match="measurement 77 does not exist"):
        repository.set_marginal(77, 0.1)


FILTERS = {
    "operator": (MeasurementFilter(operator="sa"), ["sa"]),
    "kind": (MeasurementFilter(kind="network"), ["n-x"]),
    "height": (MeasurementFilter(height=24), ["sa"]),
    "width": (MeasurementFilter(width=96), ["w", "sa", "w"]),
    "channels": (MeasurementFilter(c_in=48, c_out=24), ["sa"]),
    "stride": (MeasurementFilter(stride=2), ["w", "w"]),
    "status": (MeasurementFilter(status="failed"), ["w"]),
    "process": (MeasurementFilter(process_id="p2"), ["sa"]),
    "workload": (MeasurementFilter(workload_key="w"), ["w", "w"]),
    "run": (MeasurementFilter(run_id=99), []),
    "target": (MeasurementFilter(target=parse_target("a100/tensorrt-fp16")), []),
    "all": (MeasurementFilter(), ["w", "sa", "n-x", "w"]),
    "together": (MeasurementFilter(operator="conv", status="ok", stride=2, height=48), ["w"]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(repository: Repository, run: int, measured: Measured, crash: Failure, name: str) -> None:
    stored = [measured("w"), measured("sa", process="p2"), measured("n-x"), measured("w", failure=crash)]
    for measurement in stored:
        repository.add_measurement(run, measurement, calibration=None)
    wanted, keys = FILTERS[name]
    assert [row.workload_key for row in repository.measurements(wanted)] == keys
    assert repository.count(wanted) == len(keys)


def test_filter_by_time_includes_both_ends(repository: Repository, run: int, measured: Measured) -> None:
    for process in ("p1", "p2", "p3", "p4"):
        repository.add_measurement(run, measured("w", process=process), calibration=None)
    times = [row.created_at for row in repository.measurements()]
    wanted = MeasurementFilter(since=times[1], until=times[2].astimezone())
    assert [row.process_id for row in repository.measurements(wanted)] == ["p2", "p3"]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_cover_everything_once(repository: Repository, run: int, measured: Measured, order: str) -> None:
    numbers = [repository.add_measurement(run, measured("w"), calibration=None) for _ in range(7)]
    seen: list[int] = []
    while page := repository.measurements(limit=3, after_id=seen[-1] if seen else 0, order=order):  # type: ignore[arg-type]
        assert len(page) <= 3
        seen.extend(row.id for row in page)
    assert seen == (numbers if order == "oldest" else numbers[::-1])
