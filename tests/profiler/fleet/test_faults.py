"""Workers that are killed, stopped or cut off on a real server: every job has one result, and one measures at a time.

The faults are those of the table that ``python -m benchmarks.fleet_faults`` prints; here each is done once.
"""

from __future__ import annotations

import sys

import pytest

from benchmarks.fleet.faults import FAULTS
from benchmarks.fleet.postgres_server import PostgresServer
from benchmarks.fleet_faults import shown

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.skipif(sys.platform != "linux", reason="the observer reads /proc"),
]

REMARKS = {
    "worker_terminated": "1 handed back",
    "worker_finishes": "1 finished before the worker ended",
    "enqueued_twice": "4 times enqueued, 1 entered",
    "started_twice": "1 refused",
    "poison": "2 given up after 3 attempts",
    "newer_jobs": "left alone by the old worker",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_job_has_one_result_and_one_measures_at_a_time(server: PostgresServer, fault: str) -> None:
    row = shown(fault, 1, server)
    assert row.jobs == row.results > 0
    assert row.most_at_once == 1
    assert row.looks > 0, "nobody measured"
    assert row.statuses.get("failed", 0) == (2 if fault == "poison" else 0), row
    assert REMARKS.get(fault, "") in row.remark
