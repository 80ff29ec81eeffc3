"""The commands: what they print, what they store, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from db.records import ArchitectureRecord
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import read_architecture, to_json
from hyctas.measurement import Calibration, DeviceConditions, Protocol
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from profiler.cli.options import Options
from profiler.device import device_facts
from profiler.reference import reference_id

SIZE = ["--height", "64", "--width", "128", "--base-channels", "4"]


@pytest.fixture
def url(tmp_path: Path, target: Target, calibration: Calibration, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose target is calibrated already; on a machine of that name."""
    monkeypatch.setenv("HYCTAS_DEVICE", target.device)
    url = f"sqlite:///{tmp_path / 'measured.db'}"
    with Repository.open(url) as repository:
        repository.ensure_target(target, device_facts())
        repository.add_calibration(replace(calibration, reference_id=reference_id()))
    return url


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def stored(url: str, target: Target) -> dict[str, int]:
    with Repository.open(url) as repository:
        rows = repository.measurements(limit=None)
        return {purpose: sum(row.purpose == purpose for row in rows) for purpose in ("primary", "repeat")}


def test_targets_say_what_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYCTAS_DEVICE", "my-board")
    rows = {row["target"]: row for row in document(run("targets", "--json"))["targets"]}
    assert rows["my-board/onnxruntime-fp32-t1"] == {
        "target": "my-board/onnxruntime-fp32-t1",
        "available": True,
        "reason": None,
    }
    assert "my-board/torch-fp32-compiled-t1" in rows


def test_networks_are_measured_and_stored(url: str, target: Target) -> None:
    arguments = ("profile", "networks", "--count", "3", "--seed", "5", "--repeats", "1", "--db", url, *SIZE, "--json")
    first = document(run(*arguments))
    assert (first["kind"], first["target"], first["planned"]) == ("networks", target.name, 3)
    assert first["measured"] + first["unstable"] == 3
    with Repository.open(url) as repository:
        networks = repository.network_latencies(target, status=None)
        (record,) = repository.runs(target)
    assert len(networks) == 3
    assert all(row.latency_s and row.latency_s > 0.0 for _, row in networks)
    assert record.status == "finished"
    assert record.summary["planned"] == 3 and record.arguments["seed"] == 5
    again = document(run(*arguments))
    assert (again["already_measured"], again["remaining"]) == (first["measured"], 0)


def test_operators_are_measured_within_a_budget(url: str, target: Target) -> None:
    found = document(run("profile", "operators", "--budget-s", "2", "--db", url, *SIZE, "--json"))
    assert found["planned"] > 500
    assert 0 < found["measured"] + found["unstable"] < found["planned"]
    with Repository.open(url) as repository:
        operators = repository.operator_latencies(target, status=None)
        marginal = [row for row in repository.measurements(limit=None) if row.marginal_s is not None]
    assert operators and all(workload.kind == "operator" for workload, _ in operators)
    assert all(workload.description["kind"] == workload.operator for workload, _ in operators)
    assert marginal


@pytest.fixture
def networks() -> list[dict[str, Any]]:
    """Version-1 JSON of three small networks."""
    settings = ArchitectureDefaults(height=64, width=128, base_channels=4)
    drawn = sample_structured(SearchSpace(depth=6), np.random.default_rng(3), 3, settings)
    return [to_json(network) for network in drawn]


def key_of(network: dict[str, Any]) -> str:
    return read_architecture(network).key


def of_width(network: dict[str, Any], base_channels: int, width: int) -> dict[str, Any]:
    """The same network with so many channels everywhere; half the width of twice the channels is equal work."""
    cells = [[cell | {"width": width} if "width" in cell else cell for cell in b["cells"]] for b in network["branches"]]
    widths = {"base_channels": base_channels, "stem_width": width, "head_width": width}
    return network | widths | {"branches": [{"cells": of_branch} for of_branch in cells]}


def named(url: str, *options: str) -> tuple[str, ...]:
    return ("profile", "networks", *options, "--repeats", "0", "--db", url, "--json")


def test_networks_of_files_are_measured_and_no_others(
    url: str, target: Target, tmp_path: Path, networks: list[dict[str, Any]]
) -> None:
    (tmp_path / "two.json").write_text(json.dumps(networks[:2]))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, networks[1:])))
    files = ("--from", str(tmp_path / "two.json"), "--from", str(tmp_path / "lines.json"))
    found = document(run(*named(url, *files, "--chosen")))
    assert (found["kind"], found["planned"]) == ("chosen", 3)
    assert set(found["networks"]) == {key_of(network) for network in networks}
    assert set(found["networks"].values()) <= {"ok", "unstable"}
    with Repository.open(url) as repository:
        (record,) = repository.runs(target)
        latencies = repository.architecture_latencies(target, status=None)
    assert (record.kind, record.arguments["architectures"]) == ("chosen", list(found["networks"]))
    assert {key: row.status for key, row in latencies.items()} == found["networks"]
    again = document(run(*named(url, *files)))
    assert (again["kind"], again["planned"], again["remaining"]) == ("networks", 3, 0)
    assert again["already_measured"] == sum(status == "ok" for status in found["networks"].values())


def test_networks_of_equal_work_are_measured_once_and_all_found(
    url: str, target: Target, networks: list[dict[str, Any]]
) -> None:
    alike = [of_width(networks[0], base_channels, width) for base_channels, width in ((4, 12), (8, 6))]
    keys = [key_of(network) for network in alike]
    assert keys[0] != keys[1]
    with Repository.open(url) as repository:
        repository.add_architectures([ArchitectureRecord(keys[1], None, alike[1])])
    found = document(run(*named(url, "--from", "-"), stdin=json.dumps(alike)))
    assert found["planned"] == 1
    assert found["networks"][keys[0]] == found["networks"][keys[1]] in ("ok", "unstable")
    with Repository.open(url) as repository:
        rows = repository.architecture_latencies(target, keys, status=None)
    assert rows[keys[0]].id == rows[keys[1]].id


def test_networks_from_files_are_no_sample(url: str, tmp_path: Path, networks: list[dict[str, Any]]) -> None:
    (tmp_path / "one.json").write_text(json.dumps(networks[0]))
    given = ("--from", str(tmp_path / "one.json"))
    for options, reason in [
        ((*given, "--count", "3"), "give either --from, or"),
        ((*given, "--depth", "8"), "give either --from, or"),
        (("--chosen",), "--chosen is about the"),
    ]:
        result = run(*named(url, *options))
        assert (result.exit_code, result.stdout) == (2, "")
        assert reason in result.stderr
    (tmp_path / "one.json").write_text("[{}]")
    refused = run(*named(url, *given))
    assert refused.exit_code == 1
    assert "one.json: $[0]" in refused.stderr
    with Repository.open(url) as repository:
        assert repository.runs() == ()


def test_words_without_json(url: str) -> None:
    result = run("profile", "networks", "--count", "1", "--repeats", "0", "--db", url, *SIZE)
    assert result.exit_code == 0
    assert "run 1 on bench/onnxruntime-fp32-t1" in result.stdout
    assert "noise floor" in result.stdout and "workloads an hour" in result.stdout


def test_gpu_target_without_a_gpu_is_one_clear_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv("HYCTAS_GPU_DEVICE", raising=False)
    result = run("profile", "networks", "--count", "1", "--target", "tensorrt-fp16", "--db", url, *SIZE)
    assert result.exit_code == 1
    assert "no NVIDIA GPU is known here" in result.stderr and "HYCTAS_GPU_DEVICE=" in result.stderr
    assert result.stdout == ""


def test_runtime_that_is_not_here_is_one_clear_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler.session.RUNTIMES", {"torch": "profiler.runtimes.torch:TorchRuntime"})
    result = run("profile", "networks", "--count", "1", "--target", "bench/tensorrt-fp16", "--db", url, *SIZE)
    assert result.exit_code == 1
    assert "no runtime 'tensorrt' here; known: torch" in result.stderr
    assert result.stdout == ""


def test_options_of_measuring_reach_the_protocol_and_the_process() -> None:
    options = Options(build_limit_s=5.0, accept_power_cap=True, seed=3)
    assert options.protocol == Protocol(reject_power_cap=False)
    assert Options().protocol == Protocol()


@pytest.mark.slow
def test_gpu_target_is_measured_by_its_metric(
    url: str, gpu_target: Target, staged: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("blocks", "session"):
        monkeypatch.setattr(f"profiler.{module}.RUNTIMES", staged)
    monkeypatch.setattr("profiler.calibration.DEFAULT_PROCESSES", 2)
    monkeypatch.setenv("HYCTAS_GPU_DEVICE", gpu_target.device)
    options = ("--target", gpu_target.local_name, "--repeats", "0", "--build-limit", "60", "--accept-power-cap")
    found = document(run("profile", "networks", "--count", "2", "--db", url, *SIZE, *options, "--json"))
    assert (found["target"], found["measured"]) == (gpu_target.name, 2)
    with Repository.open(url) as repository:
        rows = repository.network_latencies(gpu_target)
        whole = repository.measurement(rows[0][1].id)
        (record,) = repository.runs(gpu_target)
    assert {(row.metric, row.latency_s, row.normaliser) for _, row in rows} == {("compute_time", 0.002, "none")}
    assert whole.rounds[0].conditions == DeviceConditions(sm_clock_hz=2e9, temperature_c=50.0)
    assert whole.protocol.reject_power_cap is False
    assert (record.arguments["build_limit_s"], record.arguments["accept_power_cap"]) == (60.0, True)


def test_throttled_gpu_gives_unstable_results_that_say_why(
    url: str, gpu_target: Target, calibration: Calibration, staged: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("blocks", "session"):
        monkeypatch.setattr(f"profiler.{module}.RUNTIMES", staged)
    monkeypatch.setenv("STAGED_THROTTLE", "sw_power_cap")
    with Repository.open(url) as repository:
        repository.ensure_target(gpu_target, {})
        repository.add_calibration(
            replace(calibration, target=gpu_target, normaliser="none", reference_id=reference_id())
        )
    options = ("--target", gpu_target.name, "--repeats", "0", "--count", "1", "--db", url, *SIZE, "--json")
    found = document(run("profile", "networks", *options))
    assert (found["measured"], found["unstable"]) == (0, 1)
    assert found["unstable_because"] == {"all rounds were disturbed: sw_power_cap": 1}
    again = document(run("profile", "networks", *options, "--accept-power-cap"))
    assert (again["measured"], again["unstable"]) == (1, 0)


@pytest.fixture
def started(url: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``hyctas profile operators`` as a process of its own."""

    def started(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hyctas", "profile", "operators", "--db", url, *SIZE, "--json", *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )

    return started


def wait_for_measurements(url: str, count: int, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    with Repository.open(url) as repository:
        while repository.count() < count:
            assert time.monotonic() < deadline, f"{repository.count()} measurements after {limit_s} s"
            time.sleep(0.05)


def test_interrupt_ends_in_order(url: str, target: Target, started: Callable[..., subprocess.Popen[str]]) -> None:
    with started() as process:
        wait_for_measurements(url, 1)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    found = json.loads(output)
    assert found["interrupted"] is True
    with Repository.open(url) as repository:
        (record,) = repository.runs(target)
    assert record.status == "interrupted"
    assert stored(url, target)["primary"] == found["measured"] + found["unstable"] > 0
