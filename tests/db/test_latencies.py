"""Contract: what is learned from, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from db.records import ArchitectureRecord, MeasurementFilter, WorkloadRecord
from db.repository import Repository
from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from hyctas.target import Target, parse_target

Measured = Callable[..., Measurement]
MakeWorkload = Callable[..., WorkloadRecord]
MakeNetwork = Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]]


@pytest.fixture
def run(repository: Repository, target: Target, workload: MakeWorkload, network: MakeNetwork) -> int:
    """A run whose workloads ``w``, ``v`` and networks ``n-x``, ``n-y`` are stored."""
    networks = [network("x"), network("y")]
    repository.add_workloads([workload("w"), workload("v"), *(lowered for lowered, _ in networks)])
    repository.add_architectures(architecture for _, architecture in networks)
    return repository.start_run("networks", target, {})


def test_networks_and_operators_are_told_apart(
    repository: Repository, run: int, measured: Measured, target: Target, network: MakeNetwork
) -> None:
    for key in ("w", "n-y", "n-x", "v"):
        repository.add_measurement(run, measured(key), calibration=None)
    networks = repository.network_latencies(target)
    assert [architecture for architecture, _ in networks] == [network("y")[1], network("x")[1]]
    assert [row.workload_key for _, row in networks] == ["n-y", "n-x"]
    assert [(record.key, row.workload_key) for record, row in repository.operator_latencies(target)] == [
        ("w", "w"),
        ("v", "v"),
    ]
    assert repository.network_latencies(parse_target("a100/tensorrt-fp16")) == ()


def test_only_primary_ok_rows_of_this_protocol_are_learned_from(
    repository: Repository, run: int, measured: Measured, target: Target, unsettled: tuple[Round, ...], crash: Failure
) -> None:
    repository.add_measurement(run, measured("n-x", protocol=Protocol(version=99)), calibration=None)
    repository.add_measurement(run, measured("n-x", rounds=unsettled), calibration=None)
    repository.add_measurement(run, measured("n-x", failure=crash), calibration=None)
    wanted = repository.add_measurement(run, measured("n-x"), calibration=None)
    repository.add_measurement(run, measured("n-x", process="p2"), calibration=None)
    assert [row.id for _, row in repository.network_latencies(target)] == [wanted]


def test_runs_asked_for_by_number_include_their_repeats(
    repository: Repository, run: int, measured: Measured, target: Target
) -> None:
    repository.add_measurement(run, measured("n-x"), calibration=None)
    later = repository.start_run("networks", target, {})
    repeat = repository.add_measurement(later, measured("n-x", process="p2"), calibration=None)
    assert [row.id for _, row in repository.network_latencies(target, run_ids=[later])] == [repeat]
    assert [row.id for _, row in repository.network_latencies(target, run_ids=[run, later])] == [repeat]
    assert repository.network_latencies(target, run_ids=[]) == ()


def test_architectures_of_equal_graphs_share_a_latency(
    repository: Repository, run: int, measured: Measured, target: Target, network: MakeNetwork
) -> None:
    _, architecture = network("x")
    repository.add_architectures([replace(architecture, key="a-never-lowered", workload_key=None)])
    repository.add_architectures([replace(architecture, key="a-alike")])
    first = repository.add_measurement(run, measured("n-x"), calibration=None)
    second = repository.add_measurement(run, measured("n-y"), calibration=None)
    found = repository.architecture_latencies(target)
    assert {key: row.id for key, row in found.items()} == {"a-x": first, "a-alike": first, "a-y": second}
    assert repository.architecture_latencies(target, ["a-alike", "a-never-lowered", "?"]) == {
        "a-alike": found["a-alike"]
    }
    assert repository.architecture_latencies(target, []) == {}
    assert [record.key for record, _ in repository.network_latencies(target)] == ["a-alike", "a-y"]


def test_until_gives_the_state_of_that_time(
    repository: Repository, run: int, measured: Measured, target: Target
) -> None:
    for key in ("n-x", "n-y"):
        repository.add_measurement(run, measured(key), calibration=None)
    first = repository.measurements(limit=1)[0]
    assert [row.id for _, row in repository.network_latencies(target, until=first.created_at)] == [first.id]


def test_unstable_rows_are_there_for_those_who_ask(
    repository: Repository, run: int, measured: Measured, target: Target, unsettled: tuple[Round, ...]
) -> None:
    repository.add_measurement(run, measured("w", rounds=unsettled), calibration=None)
    last = repository.add_measurement(run, measured("w", rounds=unsettled), calibration=None)
    assert repository.operator_latencies(target) == ()
    assert [row.id for _, row in repository.operator_latencies(target, status="unstable")] == [last]


def test_repeats_pair_different_processes_once(
    repository: Repository, run: int, measured: Measured, target: Target
) -> None:
    for key, process in [("w", "p1"), ("w", "p1"), ("w", "p2"), ("v", "p1"), ("n-x", "p1"), ("n-x", "p3")]:
        repository.add_measurement(run, measured(key, process=process), calibration=None)
    pairs = {(a.workload_key, a.process_id, b.process_id) for a, b in repository.repeats(target)}
    assert pairs == {("w", "p1", "p2"), ("n-x", "p1", "p3")}
    assert [a.workload_key for a, _ in repository.repeats(target, kind="network")] == ["n-x"]


def test_repeats_never_use_a_row_twice(repository: Repository, run: int, measured: Measured, target: Target) -> None:
    for process in ("p1", "p2", "p3", "p4", "p5"):
        repository.add_measurement(run, measured("w", process=process), calibration=None)
    pairs = [(a.process_id, b.process_id) for a, b in repository.repeats(target)]
    assert pairs == [("p1", "p2"), ("p3", "p4")]


def test_repeats_compare_only_under_one_calibration(
    repository: Repository, run: int, measured: Measured, target: Target, calibration: Calibration
) -> None:
    second = replace(calibration, version=2, compute_reference_s=0.007)
    for process, used in [("p1", calibration), ("p2", second)]:
        repository.add_calibration(used)
        repository.add_measurement(run, measured("w", process=process), calibration=used)
    assert repository.repeats(target) == ()


def test_another_metric_than_the_targets_is_never_learned_from(
    repository: Repository, run: int, measured: Measured, target: Target
) -> None:
    for key in ("w", "n-x"):
        repository.add_measurement(run, measured(key, metric="compute_time"), calibration=None)
        repository.add_measurement(run, measured(key, metric="compute_time", process="p2"), calibration=None)
    assert repository.network_latencies(target) == repository.operator_latencies(target) == ()
    assert repository.architecture_latencies(target) == repository.measured_status(target, 1) == {}
    assert repository.repeats(target, protocol_version=1) == ()
    assert len(repository.network_latencies(target, metric="compute_time")) == 1
    repository.add_measurement(run, measured("n-x"), calibration=None)
    (row,) = repository.architecture_latencies(target).values()
    assert row.metric == target.metric == "host_time"
    assert repository.measured_status(target, 1) == {"n-x": "ok"}
    assert repository.count(MeasurementFilter(metric="compute_time")) == 4


def test_each_metric_of_a_gpu_is_a_target_of_its_own(repository: Repository, run: int, measured: Measured) -> None:
    targets = [parse_target(f"a100/tensorrt-fp16{option}") for option in ("", "-host", "-copies")]
    for target in targets:
        repository.ensure_target(target, {})
        repository.add_measurement(run, replace(measured("n-x"), target=target, metric=target.metric), calibration=None)
    rows = [row for target in targets for _, row in repository.network_latencies(target)]
    assert [row.metric for row in rows] == ["compute_time", "host_time", "host_time_with_copies"]
    assert {row.purpose for row in rows} == {"primary"}
