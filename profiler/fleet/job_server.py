"""The other side of :mod:`profiler.fleet.job_process`: a process that does the jobs it reads on stdin.

Lines on stdin are ``{"request": {...}}``, answered with one line on stdout, and ``{"deadline_s": S}``: when the
monotonic clock of this host passes S in the middle of a job, the process kills itself and all that it has started. So
a worker that is suspended, and cannot do it, does not leave anything measuring behind.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from profiler.fleet.job_process import Answer
from profiler.parentage import die_with_parent
from profiler.worker import claim_channel

LOOK_S: Final = 0.1
Do = Callable[[Mapping[str, Any]], Answer]


def serve(do: Do) -> None:
    """Do jobs until stdin ends; whatever they print goes to stderr.

    Ctrl-C (SIGINT) reaches `do` as ``KeyboardInterrupt`` and nothing outside a job.
    """
    die_with_parent(int(sys.argv[-1]))
    requests, answers = claim_channel()
    channel = _Channel(requests)
    threading.Thread(target=channel.read, daemon=True, name="requests").start()
    threading.Thread(target=channel.watch, daemon=True, name="deadline").start()
    while (request := channel.waiting.get()) is not None:
        answer = _done(do, request)
        channel.deadline_s = math.inf
        answers.write(json.dumps(dataclasses.asdict(answer)).encode() + b"\n")
        answers.flush()


def _done(do: Do, request: Mapping[str, Any]) -> Answer:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return do(request)
    except KeyboardInterrupt:
        return Answer("interrupted")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class _Channel:
    """What comes from the worker."""

    requests: BinaryIO
    waiting: queue.SimpleQueue[Mapping[str, Any] | None] = field(default_factory=queue.SimpleQueue)
    deadline_s: float = math.inf

    def read(self) -> None:
        for line in self.requests:
            message = json.loads(line)
            if "deadline_s" in message:
                self.deadline_s = message["deadline_s"]
            else:
                self.waiting.put(message["request"])
        self.waiting.put(None)

    def watch(self) -> None:
        while time.monotonic() < self.deadline_s:
            time.sleep(LOOK_S)
        os.killpg(os.getpgrp(), signal.SIGKILL)
