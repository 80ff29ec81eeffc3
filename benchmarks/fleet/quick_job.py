"""The process that does jobs, with a protocol of three rounds: what is shown is the fleet, not the measuring.

Everything else is as in ``hyctas worker``: real operators under ONNX Runtime, the measuring process, the database.
Labels make a job misbehave: ``poison`` raises, ``crash`` aborts the process. Its argument is the latest format of jobs
that it knows.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from typing import Any

import hyctas.job_json
from hyctas.measurement import Protocol
from profiler.cli.measuring import Measured, Work, measured
from profiler.cli.options import Options
from profiler.cli.run_job import answer
from profiler.fleet.job_process import Answer
from profiler.fleet.job_server import serve


class QuickOptions(Options):
    """Three rounds of one sample, and everything counts as settled."""

    @property
    def protocol(self) -> Protocol:
        """What counts."""
        return Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=10.0, min_cpu_share=0.0)


def quickly(request: Mapping[str, Any]) -> Answer:
    """Do a job as :func:`profiler.cli.run_job.do` does, or misbehave as its label says."""
    label = request["job"]["label"]
    if label.startswith("crash"):
        os.abort()

    def measure(work: Work) -> Measured:
        if label.startswith("poison"):
            raise ValueError("this job cannot be done")
        options = QuickOptions(**dataclasses.asdict(work.options))
        return measured(dataclasses.replace(work, options=options), request["job"]["target"], request["db"])

    return answer(request, measure)


if __name__ == "__main__":
    hyctas.job_json.VERSION = int(sys.argv[1])  # type: ignore[misc]
    serve(quickly)
