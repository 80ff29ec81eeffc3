"""``hyctas nightly`` on this machine: what it stores, prints and writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from db.records import MeasurementFilter
from db.repository import Repository
from hyctas.job import CANARIES
from hyctas.measurement import Measurement
from hyctas.parts import Part
from hyctas.target import Target
from profiler.cli.store import RepositoryStore
from profiler.fleet.host_lock import HostLock
from profiler.nightly.series import REFERENCE
from profiler.store import Result as StoredResult
from tests.profiler.nightly.conftest import add_table, night, run

pytestmark = pytest.mark.slow


def test_first_night_has_nothing_to_compare_with(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    report = night(config, "one")
    (found,) = report["targets"]
    assert (report["state"], found["target"], found["nights"]) == ("quiet", target.name, 0)
    assert {verdict["state"] for verdict in found["verdicts"]} == {"new"}
    assert found["processes"] == {"first_look": 2, "second_look": 0}
    with Repository.open(url) as repository:
        rows = repository.measurements(MeasurementFilter(target=target), limit=None)
    assert len({row.process_id for row in rows}) == 2
    assert [row.purpose for row in rows] == ["repeat"] * 6
    assert json.loads((tmp_path / "reports" / "one.json").read_text()) == report
    assert "too little history" in (tmp_path / "reports" / "one.html").read_text()
    again = night(config, "one")
    assert again == report


def test_target_of_another_machine_is_refused(config: Path) -> None:
    config.write_text(config.read_text().replace('"onnxruntime-fp32-t1"', '"elsewhere/onnxruntime-fp32-t1"'))
    result = run(config)
    assert result.exit_code == 1
    assert "elsewhere/onnxruntime-fp32-t1" in result.stderr and "--enqueue" in result.stderr


def test_wrong_configuration_ends_with_its_path(config: Path) -> None:
    config.write_text(config.read_text() + "colour = 3\n")
    result = run(config)
    assert result.exit_code == 1
    assert "targets[0].colour: 3 is not allowed" in result.stderr


NOISE = (0.6, 0.8, 1.0, 1.25, 1.6)
"""How processes of earlier nights differ: more than any machine that runs tests, however busy it is."""


def measured_before(url: str, target: Target, *, nights: int = 6, slower: float = 1.0) -> str:
    """Copies of the night ``one`` as earlier nights, on which one canary took `slower` times as long; its name."""
    with Repository.open(url) as repository:
        runs = [run for run in repository.runs(target) if run.kind == CANARIES]
        (calibration,) = repository.calibrations(target)
        rows = [row for run in runs for row in repository.measurements(MeasurementFilter(run_id=run.id), limit=None)]
        measured = [repository.measurement(row.id) for row in rows]
        chosen = min(measured, key=lambda m: m.wall_s or 0.0).workload_key
        for number in range(nights):
            copied = repository.start_run(CANARIES, target, {"night": f"before-{number}", "look": 1})
            for place, measurement in enumerate(measured):
                factor = slower if measurement.workload_key == chosen else 1.0
                factor *= NOISE[(number * 7 + place * 3) % len(NOISE)]
                slowed = times(measurement, factor, f"{number}-{place}", 1.0 + 0.5 * number)
                repository.add_measurement(copied, slowed, calibration=calibration, purpose="repeat")
        record = repository.workload(chosen)
        assert record is not None
        return Part(**{**record.description, "in_channels": tuple(record.description["in_channels"])}).label


def times(measurement: Measurement, factor: float, process: str, machine: float) -> Measurement:
    """The same measurement with every sample times a factor, of another process, on a machine that much slower."""
    rounds = tuple(
        replace(
            r,
            samples_s=tuple(s * factor * machine for s in r.samples_s),
            compute_reference_s=tuple(s * machine for s in r.compute_reference_s),
        )
        for r in measurement.rounds
    )
    return replace(measurement, rounds=rounds, process_id=process)


def test_slow_down_ends_with_status_3_and_is_no_history(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    night(config, "one")
    name = measured_before(url, target, slower=0.01)
    report = night(config, "two", code=3)
    (found,) = report["targets"]
    assert (report["state"], found["slower"], found["nights"]) == ("regression", [name], 7)
    assert found["processes"] == {"first_look": 2, "second_look": 2}
    (verdict,) = [verdict for verdict in found["verdicts"] if verdict["name"] == name]
    assert verdict["looked_again"] and verdict["change"] > 1.0 and verdict["adjusted"] < 0.01
    page = (tmp_path / "reports" / "two.html").read_text()
    assert "1 got slower" in page and name.replace(">", "&gt;") in page
    words = run(config, "--night", "two")
    assert words.exit_code == 3 and f"slower: {name} +" in words.stdout
    again = night(config, "three", code=3)
    histories = {verdict["name"]: len(verdict["history"]) for verdict in again["targets"][0]["verdicts"]}
    assert histories[name] == 7
    assert {count for of, count in histories.items() if of not in (name, REFERENCE)} == {8}


def test_accepted_speed_begins_a_new_history(config: Path, url: str, target: Target) -> None:
    night(config, "one")
    measured_before(url, target, slower=0.01)
    config.write_text(config.read_text() + "since = 2100-01-01\n")
    report = night(config, "two")
    assert {verdict["state"] for verdict in report["targets"][0]["verdicts"]} == {"new"}


def test_nobody_told_is_said_and_fails_nothing(config: Path) -> None:
    add_table(config, '[webhook]\nurl = "http://127.0.0.1:9/secret"\non = ["quiet"]')
    report = night(config, "one")
    assert report["state"] == "quiet"
    assert "webhook at http://127.0.0.1: ConnectError" in report["webhook"]
    assert "secret" not in report["webhook"]


def test_second_night_on_a_device_is_refused(config: Path, target: Target, tmp_path: Path) -> None:
    lock = HostLock(tmp_path / "locks", f"device-{target.device}")
    try:
        assert lock.take()
        refused = run(config)
        assert refused.exit_code == 1
        assert f"somebody measures on {target.device} already (pid {os.getpid()})" in refused.stderr
    finally:
        lock.close()
    assert run(config).exit_code == 0


def test_runtime_that_cannot_be_opened_is_a_failure_of_its_target_alone(config: Path, target: Target) -> None:
    config.write_text(config.read_text() + '[[targets]]\nname = "onnxruntime-fp32-profiled-t1"\n')
    report = night(config, "one", code=1)
    good, bad = report["targets"]
    assert (report["state"], good["error"], len(good["verdicts"])) == ("failure", "", 4)
    assert "profiled" in bad["error"]
    assert night(config, "one", code=1)["targets"][0]["processes"]["first_look"] == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["kill -9", "Ctrl-C"])
def test_night_that_was_cut_short_goes_on(
    config: Path, url: str, target: Target, number: signal.Signals, status: int
) -> None:
    config.write_text(config.read_text().replace("witnesses = 2", "witnesses = 9"))
    command = [sys.executable, "-P", "-m", "hyctas", "nightly", "--config", str(config), "--night", "one"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wanted = MeasurementFilter(target=target)
    try:
        with Repository.open(url) as repository:
            deadline_s = time.monotonic() + 60.0
            while repository.count(wanted) < 4 and time.monotonic() < deadline_s:
                time.sleep(0.02)
            process.send_signal(number)
            said = process.communicate(timeout=60.0)[1]
            assert process.returncode == status, said
            before = repository.count(wanted)
    finally:
        process.kill()
        process.communicate(timeout=10.0)
    assert 4 <= before < 27
    report = night(config, "one")
    assert report["state"] == "quiet"
    with Repository.open(url) as repository:
        assert 27 <= repository.count(wanted) <= 27 + 2
        ended = {run.status for run in repository.runs(target) if run.kind == CANARIES}
    assert ended == {"interrupted", "finished"}


def test_interruption_while_a_result_is_stored_waits_until_it_is(
    config: Path, url: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = RepositoryStore.save

    def save_amid_ctrl_c(self: RepositoryStore, result: StoredResult) -> None:
        signal.raise_signal(signal.SIGINT)
        save(self, result)

    monkeypatch.setattr(RepositoryStore, "save", save_amid_ctrl_c)
    assert run(config).exit_code == 130
    with Repository.open(url) as repository:
        assert repository.count(MeasurementFilter(target=target)) == 1


def test_old_rounds_and_reports_are_dropped_and_said(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    night(config, "one")
    for suffix in ("json", "html"):
        os.utime(tmp_path / "reports" / f"one.{suffix}", (0.0, 0.0))
    own = tmp_path / "reports" / "somebody's.json"
    own.write_text("{}")
    os.utime(own, (0.0, 0.0))
    add_table(config, "[retention]\nrounds_days = 0\nreports_days = 1")
    report = night(config, "two")
    assert report["retention"] == {"measurements_without_rounds": 6, "reports": 1}
    assert sorted(path.name for path in (tmp_path / "reports").glob("*.html")) == ["two.html"]
    assert report["targets"][0]["nights"] == 1 and own.exists()
    with Repository.open(url) as repository:
        assert all(row.latency_s for row in repository.measurements(limit=None))
