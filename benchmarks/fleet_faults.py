"""The fault table of the fleet: what was killed or cut, how often, how many jobs went in and results came out.

Each fault has a database of its own on a real PostgreSQL server, workers in processes of their own, and jobs that
measure a real operator each under ONNX Runtime. An observer looks every 20 ms at which measuring processes are alive.

    python -m benchmarks.fleet_faults [--times 5] [--only worker_killed] [--json FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.faults import FAULTS
from benchmarks.fleet.observer import Observer
from benchmarks.fleet.postgres_server import PostgresServer, postgres_server, server_programs
from benchmarks.fleet.stage import staged


@dataclass(frozen=True)
class Row:
    """What came of one fault.

    Attributes:
        fault: Its name.
        what: What it is.
        times: How often it was done.
        jobs: Jobs that went in.
        results: Results that came out.
        statuses: How many of each kind.
        measured_twice: Measurements beyond the first of a workload.
        most_at_once: Most measuring processes alive at once.
        looks: How often somebody measured when the observer looked.
        recovery_s: From the end of a fault to the next result: the median.
        longest_recovery_s: Likewise, the longest.
        wall_s: How long all of it took.
        remark: What else there is to say.
    """

    fault: str
    what: str
    times: int
    jobs: int
    results: int
    statuses: dict[str, int]
    measured_twice: int
    most_at_once: int
    looks: int
    recovery_s: float | None
    longest_recovery_s: float | None
    wall_s: float
    remark: str

    @property
    def good(self) -> bool:
        """Whether every job has one result, and never two measured at once."""
        return self.jobs == self.results and self.most_at_once <= 1


def shown(fault: str, times: int, server: PostgresServer) -> Row:
    """Do one fault, and wait until all jobs have their results."""
    start_s = time.monotonic()
    with Observer() as observer, staged(server, observer) as stage:
        remark = FAULTS[fault](stage, times)
        stage.wait_for_results()
        results, jobs = stage.results(), set(stage.ids)
        recoveries_s = stage.recoveries_s
        twice = stage.measured_twice()
    return Row(
        fault=fault,
        what=(FAULTS[fault].__doc__ or "").strip(),
        times=times,
        jobs=len(jobs),
        results=len(results),
        statuses=dict(Counter(result.status for result in results)),
        measured_twice=twice,
        most_at_once=observer.most,
        looks=observer.busy,
        recovery_s=statistics.median(recoveries_s) if recoveries_s else None,
        longest_recovery_s=max(recoveries_s, default=None),
        wall_s=time.monotonic() - start_s,
        remark=remark,
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is done")
    parser.add_argument("--only", action="append", choices=list(FAULTS), help="only this fault; may be repeated")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")
    given = parser.parse_args()
    programs = server_programs()
    if programs is None:
        print("PostgreSQL's server programs (initdb, pg_ctl) are not installed: apt-get install postgresql")
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    print(
        f"{'fault':<20}{'times':>6}{'jobs':>6}{'results':>8}{'twice':>6}{'at once':>8}{'looks':>7}"
        f"{'median s':>10}{'max s':>8}{'wall s':>8}  remark"
    )
    rows = []
    with postgres_server(programs) as server:
        for fault in given.only or FAULTS:
            row = shown(fault, given.times, server)
            rows.append(row)
            print(_line(row), flush=True)
            if given.json:
                given.json.parent.mkdir(parents=True, exist_ok=True)
                given.json.write_text(json.dumps([dataclasses.asdict(each) for each in rows], indent=1) + "\n")
    jobs, results = sum(row.jobs for row in rows), sum(row.results for row in rows)
    lost, double = jobs - results, sum(row.most_at_once > 1 for row in rows)
    print(f"{jobs} jobs in, {results} results out; lost {lost}; faults with two measuring at once: {double}")
    return 0 if all(row.good for row in rows) else 1


def _line(row: Row) -> str:
    median, longest = (f"{s:.1f}" if s is not None else "-" for s in (row.recovery_s, row.longest_recovery_s))
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(row.statuses.items()))
    remark = "; ".join(filter(None, (statuses, row.remark)))
    return (
        f"{row.fault:<20}{row.times:>6}{row.jobs:>6}{row.results:>8}{row.measured_twice:>6}{row.most_at_once:>8}"
        f"{row.looks:>7}{median:>10}{longest:>8}{row.wall_s:>8.0f}  {remark}"
    )


if __name__ == "__main__":
    sys.exit(main())
