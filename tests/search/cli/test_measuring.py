"""A search that measures on this machine: profiled, learned, served, searched, refitted, and the front compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from db.records import CHOSEN
from db.repository import Repository
from hyctas.target import parse_target
from tests.search.cli.small_command import DEPTH, hyctas, options
from tests.search.small_search import rows
from tests.search.world import NETWORKS, Served, served

RUNTIME = "onnxruntime-fp32-t1"
LEARNED = 12
"""Networks whose latency has to settle, two more than a model needs."""
ROUNDS = 6
SIZE = ("--height", str(NETWORKS.height), "--width", str(NETWORKS.width))
FORM = (*SIZE, "--base-channels", str(NETWORKS.base_channels), "--classes", str(NETWORKS.classes))

pytestmark = pytest.mark.slow


def run(*arguments: str) -> dict[str, Any]:
    done = hyctas(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The URL of a database with a model of this machine, and the full name of its target."""
    folder = tmp_path_factory.mktemp("profiled")
    url = f"sqlite:///{folder / 'hyctas.db'}"
    for _ in range(ROUNDS):
        sample = ("--count", "16", "--depth", str(DEPTH), "--repeats", "0", "--budget-s", "20", *FORM)
        target = run("profile", "networks", "--target", RUNTIME, "--db", url, *sample)["target"]
        with Repository.open(url) as repository:
            settled = len(repository.network_latencies(parse_target(target)))
        if settled >= LEARNED:
            break
    else:
        pytest.skip(f"this machine is too busy: {settled} of 16 networks settled after {ROUNDS} rounds of measuring")
    run("train", "--target", target, "--db", url, "--out", str(folder / "models"))
    return url, target


@pytest.fixture
def server(profiled: tuple[str, str]) -> Any:
    with served(profiled[0]) as running:
        yield running


def test_a_search_measures_refits_and_compares(
    server: Served, profiled: tuple[str, str], supernet: Path, tmp_path: Path
) -> None:
    del supernet
    url, target = profiled
    budget = ("--evaluations", "12", "--measure", "--epochs", "1")
    done = hyctas("search", *options(tmp_path, server, targets=(target,)), *budget, "--json")
    assert done.exit_code == 0, done.stderr
    outcome = json.loads(done.stdout)

    with Repository.open(url) as repository:
        models = repository.models(parse_target(target))
        chosen = [found for found in repository.runs(parse_target(target)) if found.kind == CHOSEN]
        measured = repository.architecture_latencies(parse_target(target), status="ok")
        unstable = repository.architecture_latencies(parse_target(target), status="unstable")
    assert len(models) == 2
    assert f"refitted {target}: the server answers with model {models[1].model_id}" in done.stderr
    assert len(chosen) == 2 and all(found.status == "finished" for found in chosen)

    stored = rows(url)
    assert [[latency.revision for latency in row.latencies] for row in stored] == [[0, 1]] * 8 + [[1]] * 4
    assert {row.latencies[0].model_id for row in stored[:8]} == {models[0].model_id}
    assert {row.latencies[0].model_id for row in stored[8:]} == {models[1].model_id}
    known: Mapping[str, Any] = {**unstable, **measured}
    front = {member["key"] for members in outcome["fronts"].values() for member in members}
    assert front <= {row.architecture_key for row in stored if row.latencies[-1].measured_s is not None}
    for row in stored:
        if (measured_s := row.latencies[-1].measured_s) is not None:
            assert measured_s == known[row.architecture_key].latency_s
    drift = outcome["drift"][target]
    assert 0 < drift["networks"] <= len(front)
    assert drift["worst"] >= drift["mape"] >= abs(drift["bias"])
    assert outcome["spent_s"]["measurement"] > 0


def test_only_this_machine_measures(server: Served, profiled: tuple[str, str], tmp_path: Path) -> None:
    done = hyctas("search", *options(tmp_path, server, targets=("rtx-4090/tensorrt-fp16",)), "--measure")
    assert done.exit_code == 1
    assert f"a target of this machine, {parse_target(profiled[1]).device}" in done.stderr
