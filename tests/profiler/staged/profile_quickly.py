"""Profiles real operators into a database as ``hyctas profile operators`` does, but takes every result for settled.

python profile_quickly.py URL SEED [BUDGET_S]

Whether a result settles depends on how calm the machine is; what a killed or a second run does must not.
"""

from __future__ import annotations

import json
import os
import sys

from rich.progress import Progress

from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.measurement import Protocol
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from profiler.blocks import BlockSettings
from profiler.cli.progress import ConsoleProgress
from profiler.cli.store import RepositoryStore
from profiler.plan import plan_operators
from profiler.profile import ProfileSettings, run_plan
from profiler.summary import summary_json

PROTOCOL = Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=10.0, min_cpu_share=0.0)
SETTINGS = ArchitectureDefaults(height=64, width=128, base_channels=4)


def main() -> None:
    """Run until the budget is spent, or until killed; prints the summary as JSON."""
    url, seed, *budget = sys.argv[1:]
    target = parse_target(f"{os.environ['HYCTAS_DEVICE']}/onnxruntime-fp32-t1")
    with Repository.open(url) as repository:
        repository.mark_interrupted()
        calibration = repository.latest_calibration(target)
        assert calibration is not None
        run_id = repository.start_run("operators", target, {})
        settings = ProfileSettings(
            calibration,
            protocol=PROTOCOL,
            seed=int(seed),
            budget_s=float(budget[0]) if budget else None,
            repeats=0,
            blocks=BlockSettings(size=6, per_process=4),
        )
        store = RepositoryStore(repository, run_id, calibration)
        plan = plan_operators(SearchSpace(), SETTINGS)
        summary = run_plan(plan, store, settings, ConsoleProgress(Progress(disable=True)))
        repository.finish_run(run_id, summary_json(summary))
    sys.stdout.write(json.dumps({"run": run_id, **summary_json(summary)}))


if __name__ == "__main__":
    main()
