"""Two databases that measured the same target apart from each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.records import ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.measurement import Calibration, Failure, Measurement, Round
from hyctas.target import Target


class Minutes:
    """A clock that goes on by one minute a look, from some second of 1 January 2026 on."""

    def __init__(self, second: int) -> None:
        self.now = datetime(2026, 1, 1, 8, 0, second, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time, one minute after the last."""
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def empty(url: str) -> Iterator[Repository]:
    """An empty database of either kind."""
    with Repository(url, clock=Minutes(30)) as opened:
        yield opened


@pytest.fixture
def new_database(tmp_path: Path) -> Iterator[Callable[..., Repository]]:
    """Opens SQLite databases by name."""
    with ExitStack() as stack:
        yield lambda name, second=0: stack.enter_context(
            Repository(f"sqlite:///{tmp_path / name}.db", clock=Minutes(second))
        )


@pytest.fixture
def fill(
    target: Target,
    calibration: Calibration,
    workload: Callable[..., WorkloadRecord],
    network: Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]],
    measured: Callable[..., Measurement],
    unsettled: tuple[Round, ...],
    crash: Failure,
) -> Callable[..., Repository]:
    """Fills a database: ok, unstable, failed and repeated measurements of operators and a network."""

    def fill_as(repository: Repository, process: str, *, reference_s: float = 0.005) -> Repository:
        lowered, architecture = network("x")
        used = replace(calibration, compute_reference_s=reference_s)
        repository.ensure_target(target, {"cpu": "EPYC 7B12"})
        repository.add_calibration(used)
        repository.add_workloads([workload("w"), workload("v", operator="sa", stride=1), lowered])
        repository.add_architectures([architecture, replace(architecture, key="a-alike")])
        run = repository.start_run("networks", target, {"seed": 3, "of": process})
        for key in ("w", "n-x"):
            repository.add_measurement(
                run, measured(key, process=process, engine={"plan_bytes": "7"}), calibration=used, marginal_s=0.001
            )
        repository.add_measurement(run, measured("v", process=process, rounds=unsettled), calibration=used)
        repository.add_measurement(run, measured("v", process=process, failure=crash), calibration=None)
        repository.add_measurement(run, measured("w", process=f"{process}-again"), calibration=used, purpose="repeat")
        repository.finish_run(run, {"measured": 5})
        return repository

    return fill_as
