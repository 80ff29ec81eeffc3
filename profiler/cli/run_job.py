"""The process in which a worker's jobs are done: ``python -m profiler.cli.run_job PARENT_PID``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from hyctas.errors import HyctasError, SchemaMismatch, StorageError
from hyctas.job import CANARIES, Job, Look
from hyctas.job_json import job_to_json, read_job
from profiler.cli.measuring import Measured, Work, measured
from profiler.cli.nightly_canaries import canaries_measured
from profiler.cli.options import Options
from profiler.fleet.job_process import Answer
from profiler.fleet.job_server import serve
from profiler.plan import distinct, plan_parts, planned_network

_log: Final = logging.getLogger(__name__)


def do(request: Mapping[str, Any]) -> Answer:
    """Measure what a job asks for, and say what came of it."""
    target, db = request["job"]["target"], request["db"]
    return answer(request, lambda work: (canaries_measured if work.kind == CANARIES else measured)(work, target, db))


def answer(request: Mapping[str, Any], measure: Callable[[Work], Measured]) -> Answer:
    """Say what came of measuring; what fails in a job is a value, since the process goes on with the next one."""
    try:
        done = measure(work_of(read_job(request["job"]), request["id"]))
    except SchemaMismatch as error:
        return Answer("outdated", str(error))
    except StorageError as error:
        return Answer("outage", str(error))
    except Exception as error:
        if not isinstance(error, HyctasError):
            _log.exception("job %s", request["id"])
        return Answer("failed", f"{type(error).__name__}: {error}")
    return Answer("interrupted" if done.interrupted else "done", summary=done.document)


def work_of(job: Job, job_id: str) -> Work:
    """What the profiler is to do for a job."""
    networks = [planned_network(network) for network in job.networks]
    described = job_to_json(job)
    arguments = {
        "job": job_id,
        "label": job.label,
        **_look(job),
        **described["options"],
        "architectures": [n.key for n in job.networks],
    }
    options = job.options
    return Work(
        job.kind,
        distinct([*plan_parts(job.parts), *networks]),
        arguments,
        Options(
            seed=options.seed,
            budget_s=options.budget_s,
            repeats=options.repeats,
            retry_failed=options.retry_failed,
            recalibrate=options.recalibrate,
            supersede=options.supersede,
        ),
        named=networks,
    )


def _look(job: Job) -> dict[str, Any]:
    """What a night looks for in the arguments of runs that measured its canaries."""
    if job.kind != CANARIES:
        return {}
    look = Look.of(job.label)
    return {"night": look.night, "look": look.look, "process": look.process}


if __name__ == "__main__":
    serve(do)
