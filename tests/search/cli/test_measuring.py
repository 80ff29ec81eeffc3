"""A search that measures on this machine: profiled, learned, served, searched, refitted, and the front compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from db.records import CHOSEN
from db.repository import Repository
from hyctas.client import Client
from hyctas.target import parse_target
from search.cli.devices import LocalDevice
from tests.search.cli.small_command import DEPTH, hyctas, options
from tests.search.small_search import rows
from tests.search.world import NETWORKS, Served, add_models, served

RUNTIME = "onnxruntime-fp32-t1"
LEARNED = 12
"""Networks whose latency has to settle, two more than a model needs."""
SAMPLED, ROUNDS = 24, 4
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
        sample = ("--count", str(SAMPLED), "--depth", str(DEPTH), "--repeats", "0", "--budget-s", "20", *FORM)
        target = run("profile", "networks", "--target", RUNTIME, "--db", url, *sample)["target"]
        with Repository.open(url) as repository:
            settled = len(repository.network_latencies(parse_target(target)))
        if settled >= LEARNED:
            break
    else:
        pytest.skip(
            f"this machine is too busy: {settled} of {SAMPLED} networks settled after {ROUNDS} rounds of measuring"
        )
    run("train", "--target", target, "--db", url, "--out", str(folder / "models"))
    return url, target


@pytest.fixture
def own_server(profiled: tuple[str, str]) -> Iterator[Served]:
    """A server over what was profiled."""
    with served(profiled[0]) as running:
        yield running


def test_a_search_measures_refits_and_compares(
    own_server: Served, profiled: tuple[str, str], supernet: Path, tmp_path: Path
) -> None:
    del supernet
    url, target = profiled
    budget = ("--evaluations", "12", "--measure", "--epochs", "1")
    done = hyctas("search", *options(tmp_path, own_server, targets=(target,)), *budget, "--json")
    assert done.exit_code == 0, done.stderr
    outcome = json.loads(done.stdout)

    with Repository.open(url) as repository:
        models = repository.models(parse_target(target))
        chosen = [found for found in repository.runs(parse_target(target)) if found.kind == CHOSEN]
        measured = repository.architecture_latencies(parse_target(target), status="ok")
        unstable = repository.architecture_latencies(parse_target(target), status="unstable")
    first, newest = models[0].model_id, models[-1].model_id  # equal where no latency settled that was new
    assert f"refitted {target}: the server answers with model {newest}" in done.stderr
    logged = (tmp_path / "searches" / "commands.log").read_text().splitlines()
    ran = [line.split(" --", 1)[0] for line in logged if line.startswith("$ ")]
    assert ran == ["$ hyctas profile networks", "$ hyctas train", "$ hyctas profile networks"]
    assert len(chosen) == 2 and all(found.status == "finished" for found in chosen)

    stored = rows(url)
    assert [[latency.revision for latency in row.latencies] for row in stored] == [[0, 1]] * 8 + [[1]] * 4
    assert {row.latencies[0].model_id for row in stored[:8]} == {first}
    assert {row.latencies[0].model_id for row in stored[8:]} == {newest}
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


def test_a_server_of_another_database_is_warned_about(
    profiled: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.cli.devices.SERVED_WITHIN_S", 0.3)
    url, target = profiled
    other = f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), tmp_path / 'other.db')}"
    said: list[str] = []
    add_models(tmp_path / "others", other, (parse_target(target),))
    with served(other) as server, Repository.open(url) as repository, Client(server.url) as client:
        LocalDevice(repository, url, tmp_path / "models", tmp_path, client, said.append).refit(target)
        trained = repository.latest_model(parse_target(target))
    assert trained is not None
    assert said == [
        f"warning: the server does not offer model {trained.model_id}, which was just trained into {url}; does it read "
        "another database? The search goes on with the model that it has"
    ]


def test_only_this_machine_measures(server: Served, profiled: tuple[str, str], tmp_path: Path) -> None:
    done = hyctas("search", *options(tmp_path, server, targets=("rtx-4090/tensorrt-fp16",)), "--measure")
    assert done.exit_code == 1
    assert f"a target of this machine, {parse_target(profiled[1]).device}" in done.stderr
