"""The process that does jobs, one after another, as the worker sees it: it can be told to stop, or killed, at any time.

A job runs in a process of its own because it must end when the worker's lease does, whatever it is doing, and because
one that crashes or takes all memory must not take the worker with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from profiler.child import how_it_ended

AnswerKind = Literal["done", "failed", "outage", "interrupted", "outdated"]
ANSWER_LIMIT_BYTES: Final = 1 << 26
INTERRUPT_LIMIT_S: Final = 10.0
END_LIMIT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a job in its process.

    Attributes:
        kind: ``done``; ``failed`` with an error; ``outage`` of the database; ``interrupted`` when told to stop;
            ``outdated`` where a newer hyctas has upgraded the database.
        reason: What went wrong.
        summary: What was measured, as JSON.
    """

    kind: AnswerKind
    reason: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)


class JobProcess:
    """A process that does jobs; started when the first one comes, and again after it has ended.

    Args:
        command: What to run; it gets this process's pid as its last argument, reads lines of JSON on stdin and answers
            each job with one line. See :mod:`profiler.fleet.job_server`.
        inherited: Descriptors of locks that it shall hold with this process.
    """

    def __init__(self, command: Sequence[str], inherited: Sequence[int] = ()) -> None:
        self._command = (*command, str(os.getpid()))
        self._inherited = tuple(inherited)
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, request: Mapping[str, Any], *, deadline_s: float) -> Answer:
        """Do one job; a process that ends instead of answering is a failure.

        Args:
            request: What the process is asked to do.
            deadline_s: When it ends itself unless the deadline is put off, by the monotonic clock.
        """
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None
        line = b""
        with contextlib.suppress(ConnectionError, ValueError):
            self.put_off(deadline_s)
            process.stdin.write(json.dumps({"request": request}).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        if line.endswith(b"\n"):
            return Answer(**json.loads(line))
        self.kill()
        status = await process.wait()
        self._process = None
        return Answer("failed", f"the job's process ended with {how_it_ended(status)} instead of an answer")

    def put_off(self, deadline_s: float) -> None:
        """Let it go on until then."""
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(json.dumps({"deadline_s": deadline_s}).encode() + b"\n")

    async def interrupt(self, running: asyncio.Task[Answer]) -> Answer | None:
        """Stop what runs in order, so that nothing measured is lost; kill it if that takes too long.

        Returns:
            The answer; None if it had to be killed.
        """
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        done, _ = await asyncio.wait([running], timeout=INTERRUPT_LIMIT_S)
        if done:
            return running.result()
        self.kill()
        running.cancel()
        return None

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End it, kindly if it waits."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_LIMIT_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        self._process = None

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=ANSWER_LIMIT_BYTES,
                start_new_session=True,
                pass_fds=self._inherited,
                env={**os.environ, "PYTHONPATH": path},
            )
        return self._process
