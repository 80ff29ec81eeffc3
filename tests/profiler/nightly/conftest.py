"""What the tests of nights share: a small night on this machine, and a PostgreSQL server for those of workers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.measurement import Calibration
from hyctas.target import Target
from profiler.device import device_facts
from profiler.reference import reference_id
from tests.profiler.fleet.conftest import server as server

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
