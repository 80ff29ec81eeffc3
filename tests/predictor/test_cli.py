"""Commands that learn: which networks of a database are learned from, and which tell how good that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.records import CHOSEN, ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture_json import to_json
from hyctas.measurement import Measurement, Protocol, Round
from hyctas.target import parse_target
from predictor.artifact import load_predictor
from predictor.intervals import UNCALIBRATED
from predictor.samples import NetworkSample
from tests.predictor import synthetic

TARGET = parse_target(synthetic.TARGET)
TOO_FAST = 1.6
"""Measured over predicted of networks that were chosen because they were predicted too fast."""


@pytest.fixture(scope="module")
def drawn() -> list[NetworkSample]:
    """Networks drawn at random."""
    return synthetic.networks(40, seed=1)


@pytest.fixture(scope="module")
def chosen() -> list[NetworkSample]:
    """Networks that are slower than the law of the others would have it."""
    found = synthetic.networks(12, seed=7)
    return [NetworkSample(sample.architecture, sample.latency_s * TOO_FAST) for sample in found]


@pytest.fixture
def url(tmp_path: Path, drawn: list[NetworkSample], chosen: list[NetworkSample]) -> str:
    """A database with run 1, which drew at random, and run 2 of what a search chose; one network is in both."""
    url = f"sqlite:///{tmp_path / 'measured.db'}"
    with Repository(url) as repository:
        repository.ensure_target(TARGET, {})
        store(repository, "networks", drawn, process="p1")
        store(repository, CHOSEN, [*chosen, drawn[0]], process="p2")
    return url


def store(repository: Repository, kind: str, samples: Sequence[NetworkSample], *, process: str) -> None:
    run = repository.start_run(kind, TARGET, {})
    repository.add_workloads(a_workload(sample) for sample in samples)
    repository.add_architectures(
        ArchitectureRecord(s.architecture.key, f"w-{s.architecture.key}", to_json(s.architecture)) for s in samples
    )
    for sample in samples:
        repository.add_measurement(run, a_measurement(sample, process), calibration=None)
    repository.finish_run(run, {})


def a_workload(sample: NetworkSample) -> WorkloadRecord:
    """The workload of a network; its costs do not matter here."""
    names = ("macs", "conv_macs", "parameters", "bytes_moved", "peak_activation_bytes")
    costs: dict[str, Any] = dict.fromkeys(names, 1)
    size: dict[str, Any] = {"height": 64, "width": 128, "c_in": 3, "c_out": 19, "stride": None}
    return WorkloadRecord(f"w-{sample.architecture.key}", "network", "network", {}, **size, **costs)


def a_measurement(sample: NetworkSample, process: str) -> Measurement:
    """Five equal rounds."""
    rounds = (Round((sample.latency_s,), (0.006,), (0.002,), 0.99),) * 5
    key = f"w-{sample.architecture.key}"
    return Measurement(key, TARGET, rounds, 1e-5, Protocol(), {}, process_id=process)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return result


def train(url: str, out: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("train", "--db", url, "--out", str(out), *options, "--json").stdout)
    return found


def test_chosen_networks_are_learned_from_but_never_calibrate(url: str, tmp_path: Path) -> None:
    model = train(url, tmp_path / "models")
    with Repository(url) as repository:
        training = repository.model(model["model_id"]).training
    assert (training["networks"], training["chosen_networks"]) == (32 + 12, 12)
    assert model["evaluation"]["scores"]["networks"] == 8
    knowledge = load_predictor(Path(model["path"])).knowledge
    assert knowledge.intervals.networks == 32
    assert knowledge.expected_error is not None
    assert knowledge.expected_error.networks == 32


def test_held_out_networks_are_the_same_with_and_without_chosen_ones(url: str, tmp_path: Path) -> None:
    alone, both = (train(url, tmp_path / "models", *options) for options in (("--train-run", "1"), ()))
    assert load_predictor(Path(alone["path"])).knowledge.intervals.networks == 32
    assert alone["evaluation"]["scores"]["networks"] == both["evaluation"]["scores"]["networks"] == 8
    assert alone["model_id"] != both["model_id"]


def test_network_that_was_drawn_and_chosen_counts_as_drawn(url: str, tmp_path: Path) -> None:
    model = train(url, tmp_path / "models", "--train-run", "2")
    with Repository(url) as repository:
        training = repository.model(model["model_id"]).training
    assert (training["networks"], training["chosen_networks"], model["evaluation"]) == (13, 12, None)
    assert load_predictor(Path(model["path"])).knowledge.intervals.networks == 1


def test_chosen_networks_alone_promise_nothing(url: str, tmp_path: Path) -> None:
    model = train(url, tmp_path / "models", "--train-run", "2", "--held-out-run", "1")
    assert model["evaluation"]["scores"]["networks"] == 40
    knowledge = load_predictor(Path(model["path"])).knowledge
    assert (knowledge.intervals.networks, knowledge.expected_error) == (0, None)
    assert knowledge.intervals.half_width(1) == UNCALIBRATED


def test_chosen_networks_are_scored_on_where_their_run_is_named(url: str, tmp_path: Path) -> None:
    model = train(url, tmp_path / "models", "--train-run", "1", "--held-out-run", "2")
    assert model["evaluation"]["scores"]["networks"] == 13
    assert model["evaluation"]["scores"]["bias"] < -0.2
    chosen, drawn = (evaluated(url, model, *options) for options in (("--run", "2"), ()))
    assert (chosen["evaluation"]["scores"]["networks"], chosen["chosen_left_out"]) == (13, 0)
    assert (drawn["evaluation"]["scores"]["networks"], drawn["chosen_left_out"]) == (40, 12)
    assert drawn["evaluation"]["scores"]["mape"] < 0.1


def test_words_say_how_many_networks_were_chosen(url: str, tmp_path: Path) -> None:
    trained = run("train", "--db", url, "--out", str(tmp_path / "models")).stdout
    assert "44 networks (12 of them chosen by a search: they calibrate nothing), 0 operators" in trained
    model_id = trained.split()[1]
    assert "left out: 12 networks that a search chose" in run("evaluate", "--model", model_id, "--db", url).stdout


def test_splits_never_score_on_chosen_networks(url: str, tmp_path: Path) -> None:
    bars = train(url, tmp_path / "models", "--splits", "2")["splits"]
    assert bars["networks"]["mean"] == 20


def evaluated(url: str, model: dict[str, Any], *options: str) -> dict[str, Any]:
    arguments = ("evaluate", "--model", model["model_id"], "--db", url, *options, "--json")
    found: dict[str, Any] = json.loads(run(*arguments).stdout)
    return found
