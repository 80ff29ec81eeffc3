"""When a job has been tried often enough, and what its result says then."""

from __future__ import annotations

from collections.abc import Sequence

from hyctas.job import COUNTED, Ending, JobAttempt
from profiler.fleet.timing import FleetTiming


def verdict(attempts: Sequence[JobAttempt], timing: FleetTiming) -> Ending | None:
    """The failed result of a job that is to be given up, or None if it may be tried again.

    A worker that was stopped, and a database that was away, say nothing about the job; the latter count only because a
    job could be what brings the database down.
    """
    failures = [attempt for attempt in attempts if attempt.outcome in COUNTED]
    outages = [attempt for attempt in attempts if attempt.outcome == "outage"]
    if len(failures) >= timing.max_failures:
        return Ending("failed", f"given up after {len(failures)} attempts: {_reasons(failures)}")
    if len(outages) >= timing.max_outages:
        return Ending("failed", f"given up after {len(outages)} outages of the database: {_reasons(outages)}")
    return None


def _reasons(attempts: Sequence[JobAttempt]) -> str:
    """Each reason once, the latest first."""
    return "; ".join(dict.fromkeys(attempt.reason or "unknown" for attempt in reversed(attempts)))
