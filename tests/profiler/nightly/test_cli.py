"""``hyctas nightly`` on this machine: what it stores, prints and writes, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.records import MeasurementFilter
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.device import device_facts
from profiler.reference import reference_id

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
