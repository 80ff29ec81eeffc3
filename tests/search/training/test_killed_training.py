"""Training in a process of its own that dies or is told to stop, wherever it happens to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from search.training.training_log import NAME, read_log
from tests.search.training.small import sha256, state, supernet_job, trained

torch.set_num_threads(1)
pytestmark = pytest.mark.slow
STEPS = 24
PATIENCE_S = 120.0
SCRIPT = """
import sys
from pathlib import Path
import torch
from tests.search.training.small import supernet_job, trained

torch.set_num_threads(1)
trained(supernet_job(Path(sys.argv[1]), steps=int(sys.argv[2]), checkpoint_every=int(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("undisturbed")
    return sha256(trained(supernet_job(folder, steps=STEPS, checkpoint_every=STEPS)))


def disturbed(root: Path, folder: Path, *, checkpoint_every: int, after: int, by: signal.Signals) -> int:
    """Train in a process until the log has `after` lines, then send it a signal; returns its exit status."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(STEPS), str(checkpoint_every)]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL) as process:
        end_s = time.monotonic() + PATIENCE_S
        while process.poll() is None and logged(folder) < after and time.monotonic() < end_s:
            time.sleep(0.002)
        process.send_signal(by)
        return process.wait(PATIENCE_S)


def logged(folder: Path) -> int:
    path = folder / NAME
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_training_ends_like_an_undisturbed_one(root: Path, tmp_path: Path, undisturbed: str) -> None:
    for after in (3, 10):
        status = disturbed(root, tmp_path, checkpoint_every=2, after=after, by=signal.SIGKILL)
        assert status == -signal.SIGKILL
        assert 2 <= state(tmp_path)["step"] < STEPS
    trained(supernet_job(tmp_path, steps=STEPS, checkpoint_every=2))
    assert sha256(tmp_path) == undisturbed
    assert [record.step for record in read_log(tmp_path)] == list(range(STEPS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", NAME]


def test_interrupted_training_keeps_every_finished_step(root: Path, tmp_path: Path, undisturbed: str) -> None:
    status = disturbed(root, tmp_path, checkpoint_every=STEPS, after=7, by=signal.SIGINT)
    assert status != 0
    done = state(tmp_path)["step"]
    assert 7 <= done == logged(tmp_path) < STEPS
    trained(supernet_job(tmp_path, steps=STEPS, checkpoint_every=STEPS))
    assert sha256(tmp_path) == undisturbed
