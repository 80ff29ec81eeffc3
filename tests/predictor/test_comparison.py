"""Whether a new model is no worse than another: paired errors, and the command that registers by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.target import parse_target
from predictor.comparison import compare
from predictor.model import Predictor
from predictor.samples import NetworkSample
from predictor.training import train as learn
from tests.predictor import synthetic
from tests.predictor.test_cli import store

TARGET = parse_target(synthetic.TARGET)


@pytest.fixture(scope="module")
def networks() -> list[NetworkSample]:
    """Networks that follow one law."""
    return synthetic.networks(60, seed=1)


@pytest.fixture(scope="module")
def good(networks: list[NetworkSample]) -> Predictor:
    """Learned from half of them."""
    return Predictor(learn(synthetic.TARGET, networks[:30], []), "good")


@pytest.fixture(scope="module")
def bad(networks: list[NetworkSample]) -> Predictor:
    """Learned from latencies that are wrong by a third."""
    wrong = [NetworkSample(sample.architecture, sample.latency_s * 1.33) for sample in networks[:30]]
    return Predictor(learn(synthetic.TARGET, wrong, []), "bad")


def test_worse_model_is_told_from_better_one(networks: list[NetworkSample], good: Predictor, bad: Predictor) -> None:
    held_out = networks[30:]
    worse, better = (compare(new, old, held_out, tolerance=0.05) for new, old in ((bad, good), (good, bad)))
    assert (worse.no_worse, better.no_worse) == (False, True)
    assert worse.difference == pytest.approx(-better.difference)
    assert worse.low is not None and worse.high is not None and worse.low > 0.2
    assert worse.reason.startswith("worse than good on 30 held-out networks")


def test_equal_model_is_no_worse_without_any_tolerance(networks: list[NetworkSample], good: Predictor) -> None:
    same = compare(good, good, networks[30:31], tolerance=0.0)
    assert (same.no_worse, same.difference, same.low, same.high) == (True, 0.0, None, None)
    with pytest.raises(ValueError, match="no network"):
        compare(good, good, [], tolerance=0.0)


def trained(url: str, out: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["train", "--db", url, "--out", str(out), "--if-no-worse", *options, "--json"])
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_command_registers_what_is_no_worse_and_keeps_nothing_else(
    tmp_path: Path, networks: list[NetworkSample]
) -> None:
    url, out = f"sqlite:///{tmp_path / 'measured.db'}", tmp_path / "models"
    wrong = [NetworkSample(sample.architecture, sample.latency_s * 3.0) for sample in networks[:30:2]]
    with Repository(url) as repository:
        repository.ensure_target(TARGET, {})
        store(repository, "networks", networks[:30], process="p1")
        store(repository, "networks", networks[30:], process="p2")
        store(repository, "networks", wrong, process="p3")
    first = trained(url, out, "--train-run", "1", "--held-out-run", "2")
    assert first["registered"] and "first model" in first["comparison"]["reason"]
    refused = trained(url, out, "--train-run", "3", "--held-out-run", "2")
    assert (refused["registered"], refused["model_id"], refused["path"]) == (False, "", None)
    assert refused["comparison"]["than"] == first["model_id"]
    assert refused["comparison"]["mape"] > refused["comparison"]["mape_before"]
    with Repository(url) as repository:
        assert [model.model_id for model in repository.models(TARGET)] == [first["model_id"]]
    assert [path.name for path in out.iterdir()] == [first["model_id"]]
    second = trained(url, out, "--train-run", "1", "--held-out-run", "2", "--seed", "5", "--tolerance", "0.5")
    assert second["registered"] and second["comparison"]["no_worse"]


def test_model_to_compare_with_needs_the_comparison(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "--than", "m", "--db", f"sqlite:///{tmp_path / 'x.db'}"])
    assert result.exit_code == 2 and "--if-no-worse" in result.stderr
