"""Measuring canaries and storing them: what one process of a night does, here or for a worker."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console

from db.records import RunStatus
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.measurement import Calibration, Status
from profiler.cli.measuring import Measured, Work, calibration_of
from profiler.cli.options import Options
from profiler.cli.store import RepositoryStore
from profiler.device import LocalMachine
from profiler.interruption import uninterrupted
from profiler.nightly.witness import witness
from profiler.plan import PlannedWorkload
from profiler.store import Result


def measure_canaries(
    repository: Repository,
    run_id: int,
    canaries: Sequence[PlannedWorkload],
    calibration: Calibration,
    options: Options,
    *,
    seed: int,
) -> Counter[Status]:
    """Measure canaries in a new process and store each at once, as a repeat; returns how they ended."""
    store = RepositoryStore(repository, run_id, calibration)
    store.add_networks([planned for planned in canaries if isinstance(planned.source, Architecture)])
    drawn = int(np.random.SeedSequence([options.seed, run_id, seed]).generate_state(1)[0])
    ended: Counter[Status] = Counter()
    found = witness(
        calibration.target, canaries, calibration.normaliser, seed=drawn, build_limit_s=options.build_limit_s
    )
    for planned, measurement in found:
        with uninterrupted():
            store.save(Result(planned, measurement, None, repeat=True))
        ended[measurement.status(calibration.normaliser)] += 1
    return ended


def canaries_measured(work: Work, target_name: str, db: str) -> Measured:
    """Measure the canaries of a job in one process, whatever is known of them.

    Raises:
        InvalidTarget: The target cannot be one of this machine.
        RuntimeUnavailable: Its runtime cannot be opened.
    """
    machine = LocalMachine(os.environ)
    target = machine.target(target_name)
    with Repository.open(db) as repository:
        repository.mark_interrupted()
        repository.ensure_target(target, machine.facts(target))
        calibration = calibration_of(repository, target, Console(stderr=True), work.options)
        run_id = repository.start_run(work.kind, target, work.arguments)
        status: RunStatus = "interrupted"
        ended: Counter[Status] = Counter()
        try:
            ended = measure_canaries(repository, run_id, work.plan, calibration, work.options, seed=0)
            status = "finished"
        except KeyboardInterrupt:
            pass
        finally:
            repository.finish_run(run_id, {"ended": dict(ended)}, status=status)
    document = {"run": run_id, "target": target.name, "kind": work.kind, "ended": dict(ended)}
    return Measured(document, f"run {run_id} on {target}: {dict(ended)}", status == "interrupted")
