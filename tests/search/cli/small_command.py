"""``hyctas search`` on small networks: its options, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner, Result

from hyctas.__main__ import app
from hyctas.command_process import own_command
from tests.search.small_search import DATASET, SEARCH, TARGETS, TRAINING
from tests.search.world import NETWORKS, Served

DEPTH = 6
ONE_THREAD = {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def options(folder: Path, server: Served, *, targets: Sequence[str] = TARGETS) -> list[str]:
    """A search over small networks with everything in `folder`."""
    values = {
        "--dataset": DATASET,
        "--depth": str(DEPTH),
        "--height": str(NETWORKS.height),
        "--width": str(NETWORKS.width),
        "--base-channels": str(NETWORKS.base_channels),
        "--population": str(SEARCH.population),
        "--evaluations": str(SEARCH.evaluations),
        "--images": str(SEARCH.images),
        "--steps": str(TRAINING.steps),
        "--batch-size": str(TRAINING.batch_size),
        "--checkpoint-every": str(TRAINING.checkpoint_every),
        "--supernet": str(folder / "supernet"),
        "--out": str(folder / "searches"),
        "--models": str(folder / "models"),
        "--url": server.url,
        "--db": server.database,
    }
    named = [word for target in targets for word in ("--target", target)]
    return [*named, *(word for pair in values.items() for word in pair)]


def hyctas(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner(env=ONE_THREAD).invoke(app, arguments)


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        own_command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )
