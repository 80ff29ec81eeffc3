"""``hyctas nightly`` on this machine: what it stores, prints and writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from db.records import ArchitectureRecord, MeasurementFilter, WorkloadRecord
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.job import CANARIES
from hyctas.measurement import Calibration, Measurement, Protocol, Round
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from predictor.samples import NetworkSample
from profiler.cli.store import RepositoryStore
from profiler.device import device_facts
from profiler.fleet.host_lock import HostLock
from profiler.nightly.series import REFERENCE
from profiler.plan import plan_networks
from profiler.reference import reference_id
from profiler.store import Result as Finished
from tests.predictor import synthetic

pytestmark = pytest.mark.slow

CONFIG = """
database = "{url}"
reports = "{folder}/reports"
[judging]
witnesses = 2
second_look = 2
history = 3
[training]
models = "{folder}/models"
[[targets]]
name = "onnxruntime-fp32-t1"
settings = {{height = 64, width = 128, base_channels = 4}}
canaries = {{operators = 3, networks = 0}}
"""


@pytest.fixture
def url(tmp_path: Path, target: Target, calibration: Calibration, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose target is calibrated; on a machine of that name."""
    monkeypatch.setenv("HYCTAS_DEVICE", target.device)
    monkeypatch.setenv("HYCTAS_LOCKS", str(tmp_path / "locks"))
    url = f"sqlite:///{tmp_path / 'nights.db'}"
    with Repository.open(url) as repository:
        repository.ensure_target(target, device_facts())
        repository.add_calibration(replace(calibration, reference_id=reference_id()))
    return url


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    """A small night: three operators in two processes."""
    file = tmp_path / "night.toml"
    file.write_text(CONFIG.format(url=url, folder=tmp_path))
    return file


def add_table(config: Path, table: str) -> None:
    """Put a table before those that are there."""
    config.write_text(config.read_text().replace("[judging]", f"{table}\n[judging]"))


def run(config: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["nightly", "--config", str(config), *options])


def night(config: Path, label: str, *, code: int = 0) -> dict[str, Any]:
    result = run(config, "--night", label, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


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
                factor *= 1.0 + 0.001 * ((number * 7 + place * 3) % 5)
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
    name = measured_before(url, target, slower=0.2)
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
    measured_before(url, target, slower=0.2)
    config.write_text(config.read_text() + "since = 2100-01-01\n")
    report = night(config, "two")
    assert {verdict["state"] for verdict in report["targets"][0]["verdicts"]} == {"new"}


def test_nobody_told_is_said_and_fails_nothing(config: Path) -> None:
    config.write_text(
        config.read_text().replace(
            "[judging]", '[webhook]\nurl = "http://127.0.0.1:9/secret"\non = ["quiet"]\n[judging]'
        )
    )
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
    config.write_text(config.read_text().replace("witnesses = 2", "witnesses = 3"))
    command = [sys.executable, "-P", "-m", "hyctas", "nightly", "--config", str(config), "--night", "one"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wanted = MeasurementFilter(target=target)
    try:
        with Repository.open(url) as repository:
            deadline_s = time.monotonic() + 60.0
            while repository.count(wanted) < 4 and time.monotonic() < deadline_s:
                time.sleep(0.02)
            process.send_signal(number)
            assert process.wait(60.0) == status
            before = repository.count(wanted)
    finally:
        process.kill()
        process.wait(10.0)
    assert 4 <= before < 9
    report = night(config, "one")
    assert report["state"] == "quiet"
    with Repository.open(url) as repository:
        assert 9 <= repository.count(wanted) <= 9 + 2
        ended = {run.status for run in repository.runs(target) if run.kind == CANARIES}
    assert ended == {"interrupted", "finished"}


def test_old_rounds_and_reports_are_dropped_and_said(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    night(config, "one")
    for suffix in ("json", "html"):
        os.utime(tmp_path / "reports" / f"one.{suffix}", (0.0, 0.0))
    config.write_text(
        config.read_text().replace("[judging]", "[retention]\nrounds_days = 0\nreports_days = 1\n[judging]")
    )
    report = night(config, "two")
    assert report["retention"] == {"measurements_without_rounds": 6, "reports": 1}
    assert sorted(path.name for path in (tmp_path / "reports").glob("*.html")) == ["two.html"]
    assert report["targets"][0]["nights"] == 1
    with Repository.open(url) as repository:
        assert all(row.latency_s for row in repository.measurements(limit=None))


def store_networks(repository: Repository, target: Target, networks: Sequence[NetworkSample], *, process: str) -> None:
    """Networks as if they had been measured."""
    run_id = repository.start_run("networks", target, {})
    size: dict[str, Any] = {"height": 64, "width": 128, "c_in": 3, "c_out": 19, "stride": None}
    costs: dict[str, Any] = dict.fromkeys(
        ("macs", "conv_macs", "parameters", "bytes_moved", "peak_activation_bytes"), 1
    )
    for sample in networks:
        key = f"w-{sample.architecture.key}"
        repository.add_workloads([WorkloadRecord(key, "network", "network", {}, **size, **costs)])
        repository.add_architectures([ArchitectureRecord(sample.architecture.key, key, to_json(sample.architecture))])
        rounds = (Round((sample.latency_s,), (0.006,), (0.002,), 0.99),) * 5
        measured = Measurement(key, target, rounds, 1e-5, Protocol(), {}, process_id=process)
        repository.add_measurement(run_id, measured, calibration=None)


def test_predictor_is_registered_only_if_it_is_no_worse(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    networks = synthetic.networks(60, seed=1)
    with Repository.open(url) as repository:
        store_networks(repository, target, networks[:40], process="p1")
    first = night(config, "one")["targets"][0]["trained"]
    assert first["registered"] and "first model" in first["reason"]
    nothing_new = night(config, "two")["targets"][0]["trained"]
    assert nothing_new is None
    rng = np.random.default_rng(0)
    wild = [replace(n, latency_s=n.latency_s * float(rng.uniform(0.2, 5.0))) for n in networks[40:]]
    with Repository.open(url) as repository:
        store_networks(repository, target, wild, process="p2")
    refused = night(config, "three")["targets"][0]["trained"]
    assert not refused["registered"] and f"worse than {first['model_id']}" in refused["reason"]
    with Repository.open(url) as repository:
        assert [model.model_id for model in repository.models(target)] == [first["model_id"]]
    assert [path.name for path in (tmp_path / "models").iterdir()] == [first["model_id"]]


def test_stale_network_is_measured_again_and_replaced(config: Path, url: str, target: Target) -> None:
    """A network that another version of hyctas measured is stale; what is measured now takes its place."""
    config.write_text(config.read_text() + "networks = 1\nseed = 3\ntrain = false\n")
    settings = ArchitectureDefaults(height=64, width=128, base_channels=4)
    drawn = sample_structured(SearchSpace(depth=16), np.random.default_rng(3), 1, settings)
    (planned,) = plan_networks(drawn)
    with Repository.open(url) as repository:
        (calibration,) = repository.calibrations(target)
        run_id = repository.start_run("networks", target, {})
        store = RepositoryStore(repository, run_id, calibration)
        store.add_networks([planned])
        round_ = Round((1.0,) * 3, (0.002,) * 2, (0.004,) * 2, 1.0)
        old = Measurement(
            planned.key, target, (round_,) * 5, 1e-5, Protocol(), {"hyctas": "0.0.1"}, process_id="years ago"
        )
        store.save(Finished(planned, old, None, repeat=False))
    filled = night(config, "one")["targets"][0]["filled"]
    assert filled["wanted"] == {"missing": 0, "stale": 1, "unstable": 0}
    with Repository.open(url) as repository:
        ((_, row),) = repository.network_latencies(target)
        assert (row.process_id == "years ago") == (filled["measured"] != {"stale": 1})
        again = repository.measurements(MeasurementFilter(target=target, workload_key=planned.key), limit=None)
    assert len(again) >= 2
