"""The whole command, on a small synthetic data set."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.sampling import sample_structured
from search.candidate import Candidate
from search.plan import SearchPlan, plan_to_json
from search.settings import SearchSettings
from search.store import candidate_record
from search.training.checkpoint import load_checkpoint
from search.training.settings import TrainingSettings
from tests.search.world import FAST, NETWORKS, SPACE, Served

DATASET = "synthetic:0:8+4:32x64"
QUICK = ("--steps", "6", "--batch-size", "2", "--checkpoint-every", "2")
CLASSES = ["sky", "building", "road", "pavement", "tree", "car", "pole", "pedestrian"]


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """The command lets SIGTERM end it like Ctrl-C; that is undone."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def network() -> Architecture:
    return sample_structured(SPACE, np.random.default_rng(2), 1, NETWORKS)[0]


@pytest.fixture
def file(network: Architecture, tmp_path: Path) -> str:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(to_json(network)))
    return str(path)


def run(*arguments: str, out: Path, options: Sequence[str] = QUICK) -> Result:
    return CliRunner().invoke(app, ["retrain", *arguments, "--out", str(out), *options])


def summary(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def error(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.strip().splitlines()
    return line


def test_summary_is_printed_and_kept(file: str, network: Architecture, tmp_path: Path) -> None:
    result = run(file, "--dataset", DATASET, "--precision", "int8", "--seed", "3", "--json", out=tmp_path / "out")
    found = summary(result)
    assert found == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(found["class_iou"]) == CLASSES
    assert found["key"] == network.key
    assert found["scored"] == {"precision": "fp32", "height": 32, "width": 64, "images": 4}
    assert abs(found["onnx"]["miou"] - found["miou"]) <= 1e-3
    assert found["training"]["weight_decay"] == 1e-4
    assert (found["training"]["learning_rate"], found["training"]["momentum"]) == (0.05, 0.9)
    assert (found["steps"], found["seed"]) == (6, 3)
    for name in ("architecture.json", "network.svg", "network.onnx", "checkpoint.pt"):
        assert (tmp_path / "out" / name).stat().st_size > 0


def test_words_name_the_precision_and_the_size_of_every_miou(file: str, tmp_path: Path) -> None:
    sizes = ("--image-height", "64", "--image-width", "96", "--images", "2")
    result = run(file, "--dataset", DATASET, "--precision", "bf16", *sizes, out=tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].endswith("mIoU at 64x96 on 2 validation images of synthetic:")
    assert [line.split()[0] for line in lines[1:6]] == ["fp32", "tf32", "fp16", "bf16", "int8"]
    assert "(emulated)" in lines[4]
    assert "not evaluated; --precision int8 does" in lines[5]
    assert "ONNX model for 32x64, fp32: mIoU" in result.stdout
    assert "trained at 64x96 and is deployed at 32x64" in result.stdout


def test_latency_stands_beside_the_miou_at_its_precision(file: str, server: Served, tmp_path: Path) -> None:
    where = ("--target", FAST.name, "--url", server.url)
    found = summary(run(file, "--dataset", DATASET, *where, "--json", out=tmp_path / "out"))
    assert found["latency"]["precision"] == "fp32"
    assert found["latency"]["miou"] == found["miou"]
    assert found["latency"]["miou_size"] == {"height": 32, "width": 64}
    assert found["latency"]["latency_ms"] > 1.0
    assert found["latency"]["key"] == found["key"]


def test_unknown_target_stops_before_training(file: str, server: Served, tmp_path: Path) -> None:
    where = ("--target", "epyc-7b12/tensorrt-int8", "--url", server.url)
    said = error(run(file, "--dataset", DATASET, *where, out=tmp_path / "out"))
    assert "unknown target 'epyc-7b12/tensorrt-int8'" in said
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_candidate_of_a_search_is_trained_as_the_search_saw_it(network: Architecture, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hyctas.db'}"
    plan = SearchPlan(
        search=SearchSettings(targets=(FAST.name,), limits_s=(None,)),
        space=SPACE,
        networks=NETWORKS,
        dataset=DATASET,
        supernet=str(tmp_path / "supernet"),
        training=TrainingSettings(height=64, width=96),
        url="http://localhost:8000",
        folder=str(tmp_path),
    )
    with Repository.open(url) as repository:
        number = repository.start_search({}, plan.search.targets, plan_to_json(plan), 0)
        stored = candidate_record(number, 0, Candidate(network, (), 0.5), (), revision=0)
        repository.add_candidates(number, [stored])
    where = ("--search", str(number), "--db", url)
    found = summary(run(network.key[:10], *where, "--json", out=tmp_path / "out"))
    assert found["key"] == network.key
    assert (found["scored"]["height"], found["scored"]["width"]) == (64, 96)
    assert "one of the search's 1 candidates" in error(run("zzz", *where, out=tmp_path / "other"))


def test_classes_of_another_data_set_are_one_error(file: str, network: Architecture, tmp_path: Path) -> None:
    Path(file).write_text(json.dumps({**to_json(network), "classes": 19}))
    said = error(run(file, "--dataset", DATASET, out=tmp_path / "out"))
    assert said == "error: $.classes: 19 is not allowed; expected 8, the classes of the data set synthetic"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--image-height", "40"), "height: 40 is not allowed; expected a multiple of 32"),
        (("--precision", "int4"), "precision: 'int4' is not allowed"),
        (("--optimiser", "lion"), "optimiser: 'lion' is not allowed; expected one of sgd, adamw"),
        (("--url", "http://localhost:1"), "--url: 'http://localhost:1' is not allowed; expected a --target"),
        (("--supernet", "nowhere"), "there is no supernet in nowhere"),
        (("--target", "tpu"), "target: 'tpu' is not allowed"),
    ],
)
def test_wrong_options_are_one_error(file: str, tmp_path: Path, options: tuple[str, ...], expected: str) -> None:
    assert expected in error(run(file, "--dataset", DATASET, *options, out=tmp_path / "out"))


def test_model_that_cannot_be_written_is_one_error_before_training(file: str, tmp_path: Path) -> None:
    (tmp_path / "out" / "network.onnx").mkdir(parents=True)
    said = error(run(file, "--dataset", DATASET, out=tmp_path / "out"))
    assert "network.onnx can be written" in said
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def parameters(folder: Path) -> dict[str, torch.Tensor]:
    found = load_checkpoint(folder)
    assert found is not None
    weights: dict[str, torch.Tensor] = found[1]["parameters"]
    return weights


@pytest.mark.slow
def test_killed_training_goes_on_to_the_same_weights(file: str, tmp_path: Path) -> None:
    options = ("--steps", "60", "--batch-size", "2", "--checkpoint-every", "2")
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    command = [sys.executable, "-m", "hyctas", "retrain", file, "--dataset", DATASET, "--out", str(killed), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (killed / "checkpoint.pt").exists() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (killed / "summary.json").exists()
    resumed = summary(run(file, "--dataset", DATASET, "--json", out=killed, options=options))
    expected = summary(run(file, "--dataset", DATASET, "--json", out=undisturbed, options=options))
    assert resumed == expected
    weights, expected_weights = parameters(killed), parameters(undisturbed)
    assert all(torch.equal(weights[name], expected_weights[name]) for name in expected_weights)


def test_latency_in_words_names_precision_and_size(file: str, server: Served, tmp_path: Path) -> None:
    where = ("--target", FAST.name, "--url", server.url)
    result = run(file, "--dataset", DATASET, *where, out=tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    (line,) = (line for line in result.stdout.splitlines() if line.startswith(f"predicted on {FAST.name}: "))
    assert "mIoU at its precision, fp32, and 32x64: " in line
