"""The image ``api``, built by its own instructions in a clean root and started as compose starts it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.images.build import Builder, Image, locks_of
from benchmarks.images.container import TMPFS, Running, why_not_here
from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import Stage
from benchmarks.images.place import working_folder
from benchmarks.images.root import BaseSystem, this_system
from benchmarks.images.wheels import fetch_wheels
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.artifact import save_predictor
from predictor.samples import NetworkSample
from predictor.training import train
from tests.api.world import SETTINGS, START, TARGET, Clock, a_calibration, a_model, synthetic_latency_s

pytestmark = pytest.mark.slow
LIMIT_BYTES = 700_000_000
START_LIMIT_S = 120.0
KEY = "3f0c"
ASK = """
import json, sys, urllib.error, urllib.request
body, key = sys.argv[1].encode(), sys.argv[2]
headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
try:
    with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8000/predict", body, headers)) as answer:
        print(json.dumps([answer.status, json.load(answer)]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.load(error)]))
"""


@pytest.fixture(scope="module")
def system() -> BaseSystem:
    """This machine's programs in place of the base image."""
    reason = why_not_here()
    if reason is None and sys.version_info[:2] != (3, 11):
        reason = "the locks are those of the images' Python, 3.11"
    if reason is not None:
        pytest.skip(reason)
    return this_system()


@pytest.fixture(scope="module")
def image(stages: Mapping[str, Stage], context: BuildContext, system: BaseSystem) -> Iterator[Image]:
    """The image, built from the index's packages but without the network."""
    with working_folder(2 * LIMIT_BYTES) as folder:
        log = folder / "log"
        with log.open("w") as out:
            try:
                fetch_wheels(locks_of(stages, ["api"], context), folder / "wheels", log=out)
                built = Builder(stages, context, system, folder / "roots", folder / "wheels", out).build("api")
            except Exception as error:
                error.add_note(log.read_text()[-2000:])
                raise
            yield built


@pytest.fixture(scope="module")
def networks() -> tuple[Architecture, ...]:
    return sample_structured(SearchSpace(), np.random.default_rng(7), 13, SETTINGS)


@pytest.fixture(scope="module")
def data(networks: tuple[Architecture, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is mounted at ``/data``: a database with a model that knows twelve networks."""
    folder = tmp_path_factory.mktemp("data")
    samples = [NetworkSample(network, synthetic_latency_s(network)) for network in networks[:12]]
    model = save_predictor(train(TARGET.name, samples, []), folder / "models")
    with Repository(f"sqlite:///{folder}/hyctas.db", clock=Clock()) as repository:
        repository.ensure_target(TARGET, {"cpu": "EPYC 7B12"})
        repository.add_calibration(a_calibration())
        repository.add_model(replace(a_model(model, START), path=f"/data/models/{model.name}"))
    (folder / "database_url").write_text("sqlite:////data/hyctas.db\n")
    (folder / "api_keys").write_text(f"{KEY}\nanother\n")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 10001, 10001)
    return folder


@pytest.fixture(scope="module")
def started(
    image: Image, system: BaseSystem, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The container with its own command, once its own health check passes."""
    secrets = {"HYCTAS_DB_FILE": "/run/secrets/database_url", "HYCTAS_API_KEYS_FILE": "/run/secrets/api_keys"}
    container = replace(
        image.container(system),
        environment={**image.environment, **secrets},
        read_only=True,
        tmpfs={"/tmp": TMPFS},
        binds=[(data, "/data", False), *((data / Path(path).name, path, True) for path in secrets.values())],
    )
    check = image.health_check
    assert check is not None
    log = tmp_path_factory.mktemp("started") / "log"
    with log.open("w") as out, container.running(image.command, log=out) as running:
        deadline_s = time.monotonic() + START_LIMIT_S
        while (done := running.inside(check)).returncode != 0:
            assert running.process.poll() is None and time.monotonic() < deadline_s, log.read_text() + done.stderr
            time.sleep(0.5)
        yield running


def ask(running: Running, network: Architecture, key: str) -> tuple[int, dict[str, object]]:
    body = json.dumps({"target": TARGET.name, "architecture": to_json(network)})
    done = running.inside(["python", "-c", ASK, body, key])
    assert done.returncode == 0, done.stderr
    status, answer = json.loads(done.stdout)
    return status, answer


def test_installed_packages_are_under_700_mb_and_without_torch(image: Image) -> None:
    assert 100_000_000 < image.installed_bytes() < LIMIT_BYTES
    assert not list(image.root.glob("opt/hyctas/lib/*/site-packages/torch*"))
    assert list(image.root.glob("opt/hyctas/lib/*/site-packages/hyctas/graph.py"))


def test_predictions_are_for_holders_of_a_key(started: Running, networks: tuple[Architecture, ...]) -> None:
    assert ask(started, networks[12], "")[0] == 401
    assert ask(started, networks[12], f"{KEY},another")[0] == 401
    status, answer = ask(started, networks[12], KEY)
    assert status == 200 and answer["tier"] == "learned"
    assert answer["latency_ms"] == pytest.approx(1e3 * synthetic_latency_s(networks[12]), rel=0.2)


def test_process_has_no_privileges_and_nothing_to_write_to(started: Running) -> None:
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{started.pid}/status").read_text().splitlines())
    assert status["Uid"].split() == ["10001"] * 4 and status["Groups"].split() in ([], ["10001"])
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    for path in ("/opt/hyctas/x", "/etc/x", "/x", "/usr/x"):
        assert "Read-only file system" in started.inside(["touch", path]).stderr
    assert started.inside(["touch", "/tmp/x"]).returncode == 0


def test_secrets_are_in_no_log_and_in_no_environment_that_others_see(started: Running) -> None:
    log = Path(started.log.name).read_text()
    assert KEY not in log and "serving sqlite:////data/hyctas.db at http://0.0.0.0:8000" in log
    assert KEY.encode() not in Path(f"/proc/{started.pid}/environ").read_bytes()


def test_command_line_of_the_image_works(started: Running, networks: tuple[Architecture, ...]) -> None:
    listed = started.inside(["hyctas", "--version"])
    assert listed.returncode == 0 and "/opt/hyctas/" in listed.stdout
    missing = started.inside(["hyctas", "search", "--target", TARGET.name])
    assert missing.returncode != 0 and "pip install" in missing.stderr


def test_sigterm_ends_it_in_order(started: Running) -> None:
    assert started.stop() == 0
