"""A process that does jobs in name only: ``python staged_job.py PARENT_PID``; the request says what to do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from profiler.fleet.job_process import Answer
from profiler.fleet.job_server import serve


def do(request: Mapping[str, Any]) -> Answer:
    """Do what the request says."""
    act = request["act"]
    if act == "exit":
        os._exit(3)
    if act == "chatter":
        sys.stdout.write('{"kind": "failed"}\n')
        sys.stdout.flush()
        os.write(1, b"noise\n")
    if act == "large":
        return Answer("done", summary={"text": "x" * 1_000_000})
    if act == "pid":
        return Answer("done", summary={"pid": os.getpid()})
    if act == "sleep":
        time.sleep(3600)
    return Answer("done", summary={"echo": request.get("text", "")})


if __name__ == "__main__":
    serve(do)
