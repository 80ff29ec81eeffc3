"""A worker in a process of its own, as ``hyctas worker`` runs it, with shorter limits: ``python -m ... JSON``.

It can be given a clock that is wrong, and the knowledge of a later format of jobs, as a newer hyctas has it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import procrastinate.utils

import db.repository
import hyctas.job_json
from db.repository import Repository
from hyctas.target import parse_target
from profiler.cli.worker import serve
from profiler.fleet.host_lock import LOCKS_VARIABLE
from profiler.fleet.timing import FleetTiming

QUICK_JOB = (sys.executable, "-m", "benchmarks.fleet.quick_job")
SHORT: Mapping[str, Any] = {
    "heartbeat_s": 1.0,
    "renew_s": 0.5,
    "lease_s": 3.0,
    "lost_after_s": 6.0,
    "grace_s": 0.5,
    "poll_s": 0.1,
    "sweep_s": 0.5,
    "reconnect_s": 1.0,
    "retry_s": 0.2,
    "newer_retry_s": 1.0,
}
"""Limits under which a fault is over in seconds."""


@dataclass(frozen=True)
class WorkerPlan:
    """How a worker is started.

    Attributes:
        url: The database.
        targets: What it serves.
        locks: Folder of the host's locks; workers with different ones are as on different hosts.
        timing: Limits that differ from :data:`SHORT`.
        command: Runs the process that does jobs.
        skew_s: How far its host's clock is wrong.
        job_format: The latest format of jobs that it knows.
    """

    url: str
    targets: tuple[str, ...]
    locks: str
    timing: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = QUICK_JOB
    skew_s: float = 0.0
    job_format: int = 1

    def start(self, **options: Any) -> subprocess.Popen[bytes]:
        """Start it."""
        command = [sys.executable, "-m", __name__, json.dumps(dataclasses.asdict(self))]
        device = self.targets[0].partition("/")[0]
        environment = {**os.environ, LOCKS_VARIABLE: self.locks, "HYCTAS_DEVICE": device, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, **options)


def run(plan: WorkerPlan) -> None:
    """Work until told to stop."""
    if plan.skew_s:
        _skew(datetime.timedelta(seconds=plan.skew_s))
    hyctas.job_json.VERSION = plan.job_format  # type: ignore[misc]
    targets = [parse_target(name) for name in plan.targets]
    with Repository.open(plan.url) as repository:
        for target in targets:
            repository.ensure_target(target, {})
        timing = FleetTiming(**{**SHORT, **plan.timing})
        asyncio.run(serve(plan.url, targets, repository, timing, (*plan.command, str(plan.job_format))))


def _skew(by: datetime.timedelta) -> None:
    """Give this process the clock of a host that is wrong, wherever it or the queue asks for the time."""

    def now() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + by

    procrastinate.utils.utcnow = now
    db.repository.utc_now = now


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(process)d %(name)s: %(message)s")
    given = json.loads(sys.argv[1])
    run(WorkerPlan(**{**given, "targets": tuple(given["targets"]), "command": tuple(given["command"])}))
