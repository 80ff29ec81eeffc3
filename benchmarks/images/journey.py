"""The first day of a deployment: a worker measures, a model is trained, the API answers, a search runs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.images.compose import Stack
from benchmarks.images.container import Running

TRAINER: Final = "search"
TARGET: Final = "onnxruntime-fp32-t1"
SIZE: Final = ("--height", "64", "--width", "64", "--base-channels", "4")
SEARCH: Final = (
    *("--steps", "4", "--batch-size", "2", "--population", "6", "--evaluations", "12", "--images", "4", "--depth", "6"),
    *("--supernet", "/data/supernet", "--out", "/data/searches"),
)
MEASURING_LIMIT_S: Final = 420.0
STATUS: Final = """
import json, sys, urllib.error, urllib.request
path, body, key = sys.argv[1:]
headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
request = urllib.request.Request(f"http://api:8000{path}", body.encode() or None, headers)
try:
    with urllib.request.urlopen(request) as answer:
        print(json.dumps([answer.status, json.load(answer)]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.load(error)]))
"""


class Failed(Exception):
    """A step did not do what it should."""


def make_secrets(script: Path, folder: Path) -> None:
    """Make the secrets of a stack in a folder that nobody else may enter, as a user would."""
    subprocess.run([script, folder / "secrets"], check=True, stdout=subprocess.DEVNULL, timeout=60.0)


def journey(stack: Stack, say: Callable[[str], None]) -> None:
    """Do it.

    Args:
        stack: With nothing started yet.
        say: Told what was done and found.

    Raises:
        Failed: A step did not do what it should.
        Unhealthy: A service did not start.
    """
    stack.start("postgres")
    say("postgres: healthy (this machine's server in place of the image's, with the service's user, mounts and secret)")
    worker = stack.start("worker")
    say("worker: started by the image's own command; healthy")
    api = stack.start("api")
    _expect(_ask(worker, "/readyz"), 503, "GET /readyz before there is a model")
    say("api: started by the image's own command; healthy; not ready before there is a model")
    full = _measure(worker)
    say(f"worker: measured operators on {TARGET} that were enqueued by hyctas jobs")
    if stack.run(TRAINER, ["train", "--target", TARGET, "--out", "/data/models"]) != 0:
        raise Failed(f"hyctas train in {TRAINER}")
    say(f"{TRAINER}: trained a model into the volume that the api reads")
    _answer(stack, worker)
    say("api: ready without a restart; POST /predict answers 401 without a key, 200 with it")
    if stack.run("search", ["search", "--target", full, "--url", "http://api:8000", *SEARCH, *SIZE]) != 0:
        raise Failed("hyctas search in search")
    say("search: trained a small supernet and searched, with latencies from the api")
    secrets = [file.read_text().strip() for file in (stack.folder / "secrets").iterdir()]
    if any(secret in Path(stack.log.name).read_text() for secret in secrets):
        raise Failed("a secret is in the log")
    say("no secret is in what any of them printed")
    nightly = stack.start("nightly")
    night = _hyctas(nightly, "nightly", "--config", "/etc/hyctas/nightly.toml", "--enqueue", "--json")
    if night["state"] != "waiting":
        raise Failed(f"hyctas nightly: {night['state']} instead of waiting")
    say("nightly: waits for its time; healthy; a night that is called at once fills the queue of the worker")
    for name, running in (("worker", worker), ("api", api), ("nightly", nightly)):
        code = running.stop()
        if code != 0:
            raise Failed(f"{name}: exit code {code} after SIGTERM")
    say("worker, api, nightly: ended with 0 after SIGTERM")


def _measure(worker: Running) -> str:
    """Measure on the worker; returns the full name of the target."""
    target = _hyctas(worker, "targets", "--json")["targets"]
    full = next(each["target"] for each in target if each["target"].endswith(f"/{TARGET}"))
    options = ("--target", full, "--depth", "6", "--per-job", "1000", "--budget-s", "120", *SIZE)
    (job,) = _hyctas(worker, "jobs", "enqueue", "operators", *options, "--json")["jobs"]
    deadline_s = time.monotonic() + MEASURING_LIMIT_S
    while (shown := _hyctas(worker, "jobs", "show", job["id"], "--json"))["state"] in ("waiting", "running"):
        if time.monotonic() > deadline_s:
            raise Failed(f"the job is still {shown['state']} after {MEASURING_LIMIT_S:g} s")
        time.sleep(2.0)
    if shown["state"] != "succeeded":
        raise Failed(f"the job has {shown['state']}: {shown['result']['reason']}")
    return str(full)


def _answer(stack: Stack, worker: Running) -> None:
    sampled = _hyctas(worker, "arch", "sample", "--count", "1", "--seed", "99", "--depth", "6", *SIZE, "--json")
    body = json.dumps({"target": TARGET, "architecture": sampled["architectures"][0]})
    key = (stack.folder / "secrets" / "api_key").read_text().strip()
    deadline_s = time.monotonic() + 60.0
    while _ask(worker, "/readyz")[0] != 200 and time.monotonic() < deadline_s:
        time.sleep(1.0)
    _expect(_ask(worker, "/predict", body), 401, "POST /predict without a key")
    _expect(_ask(worker, "/predict", body, key), 200, "POST /predict with a key")


def _ask(within: Running, path: str, body: str = "", key: str = "") -> tuple[int, Any]:
    done = within.inside(["python", "-c", STATUS, path, body, key])
    if done.returncode != 0:
        raise Failed(f"{path}: {done.stderr}")
    status, answer = json.loads(done.stdout)
    return status, answer


def _expect(found: tuple[int, Any], status: int, what: str) -> None:
    if found[0] != status:
        raise Failed(f"{what}: {found[0]} instead of {status}: {found[1]}")


def _hyctas(within: Running, *command: str) -> Any:
    done = within.inside(["hyctas", *command], limit_s=180.0)
    if done.returncode != 0:
        raise Failed(f"hyctas {' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)
