"""Contract: the two views for people who query by hand, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.engine import open_engine, parse_url
from db.records import ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.measurement import Failure, Measurement, Protocol, Round
from hyctas.target import Target

Measured = Callable[..., Measurement]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Plain access to the repository's database."""
    opened = open_engine(parse_url(url))
    yield opened
    opened.dispose()


@pytest.fixture
def run(
    repository: Repository,
    target: Target,
    workload: Callable[..., WorkloadRecord],
    network: Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]],
) -> int:
    """A run whose workload ``w`` and network ``n-x`` are stored."""
    lowered, architecture = network("x")
    repository.add_workloads([workload("w"), lowered])
    repository.add_architectures([architecture])
    return repository.start_run("operators", target, {})


def shown(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_latency_shows_one_readable_row(repository: Repository, run: int, measured: Measured, engine: Engine) -> None:
    number = repository.add_measurement(run, measured("w"), calibration=None)
    repository.set_marginal(number, 0.002)
    columns = "device, target, operator, height, width, c_in, c_out, stride, latency_ms, marginal_ms, status"
    assert shown(engine, f"SELECT {columns} FROM latency") == [
        ("epyc-7b12", "epyc-7b12/onnxruntime-fp32-t1", "conv", 48, 96, 12, 24, 2, 3.0, 2.0, "ok")
    ]


def test_latency_shows_the_best_measurement(
    repository: Repository,
    run: int,
    measured: Measured,
    engine: Engine,
    unsettled: tuple[Round, ...],
    crash: Failure,
) -> None:
    best = "SELECT measurement_id, status FROM latency"
    tries: list[tuple[dict[str, Any], str]] = [
        ({"failure": crash}, "failed"),
        ({"rounds": unsettled}, "unstable"),
        ({"process": "p1"}, "ok"),
    ]
    for changes, status in tries:
        number = repository.add_measurement(run, measured("w", **changes), calibration=None)
        assert shown(engine, best) == [(number, status)]
    for changes in ({"failure": crash}, {"rounds": unsettled}, {"process": "p2"}):
        repository.add_measurement(run, measured("w", **changes), calibration=None)
        assert shown(engine, best) == [(number, "ok")]
    newer = repository.add_measurement(run, measured("w", protocol=Protocol(version=2)), calibration=None)
    assert shown(engine, best) == [(newer, "ok")]


def test_latency_keeps_metrics_apart(repository: Repository, run: int, measured: Measured, engine: Engine) -> None:
    for metric in ("host_time", "compute_time"):
        repository.add_measurement(run, measured("w", metric=metric), calibration=None)
    assert sorted(shown(engine, "SELECT metric FROM latency")) == [("compute_time",), ("host_time",)]


def test_network_latency_shows_architectures(
    repository: Repository, run: int, measured: Measured, engine: Engine
) -> None:
    for key in ("w", "n-x"):
        repository.add_measurement(run, measured(key), calibration=None)
    columns = "target, architecture_key, branches, height, width, latency_ms, macs"
    assert shown(engine, f"SELECT {columns} FROM network_latency") == [
        ("epyc-7b12/onnxruntime-fp32-t1", "a-x", 2, 192, 384, 3.0, 11_943_936_000)
    ]
