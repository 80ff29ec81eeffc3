"""Contract: dropping old rounds, and measurements that take the place of stale ones, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from db.records import Purpose, WorkloadRecord
from db.repository import Repository
from hyctas.errors import StorageError
from hyctas.measurement import Calibration, Measurement, Round
from tests.db.conftest import START

Measured = Callable[..., Measurement]
KINDS: Final[dict[str, tuple[str, Purpose]]] = {
    "canary": ("canaries", "repeat"),
    "primary canary": ("canaries", "primary"),
    "profile": ("operators", "repeat"),
}


@pytest.fixture
def stored(
    repository: Repository, calibration: Calibration, workload: Callable[..., WorkloadRecord], measured: Measured
) -> dict[str, int]:
    """Numbers of measurements of one workload: of a canary, of one that is primary, and of a profile."""
    repository.add_calibration(calibration)
    repository.add_workloads([workload("w")])
    found = {}
    for name, (kind, purpose) in KINDS.items():
        run = repository.start_run(kind, calibration.target, {})
        found[name] = repository.add_measurement(run, measured("w"), calibration=calibration, purpose=purpose)
    return found


def test_old_rounds_of_canaries_are_dropped_and_their_latencies_stay(
    repository: Repository, stored: dict[str, int], measured: Measured, tmp_path: Path
) -> None:
    before = repository.measurements()
    later = START + timedelta(days=365)
    assert repository.prune_rounds("canaries", START - timedelta(days=1)) == 0
    assert repository.measurement(stored["canary"]) == measured("w")
    assert [repository.prune_rounds("canaries", later) for _ in range(2)] == [1, 0]
    assert repository.measurements() == before
    with pytest.raises(StorageError, match="were dropped on 2026"):
        repository.measurement(stored["canary"])
    for kept in ("primary canary", "profile"):
        assert repository.measurement(stored[kept]) == measured("w")
    assert repository.export_measurements(tmp_path / "shared.jsonl.gz")["measurement"] == 2


def test_measurement_takes_the_place_of_a_stale_one(
    repository: Repository, stored: dict[str, int], calibration: Calibration, measured: Measured
) -> None:
    run = repository.start_run("operators", calibration.target, {})
    newer = measured("w", process="p2", environment={"hyctas": "2"})
    number = repository.add_measurement(run, newer, calibration=calibration, supersede=True)
    purposes = {row.id: row.purpose for row in repository.measurements()}
    assert purposes == {**dict.fromkeys(stored.values(), "repeat"), number: "primary"}


def test_unstable_measurement_supersedes_nothing(
    repository: Repository,
    stored: dict[str, int],
    calibration: Calibration,
    measured: Measured,
    unsettled: tuple[Round, ...],
) -> None:
    run = repository.start_run("operators", calibration.target, {})
    repository.add_measurement(run, measured("w", rounds=unsettled), calibration=calibration, supersede=True)
    (primary,) = [row for row in repository.measurements() if row.purpose == "primary" and row.status == "ok"]
    assert primary.id == stored["primary canary"]
