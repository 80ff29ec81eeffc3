"""Evaluation in several processes of this machine."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType

from hyctas.architecture import Architecture
from search.evaluation.job import EvaluateOne, EvaluationJob, Result, evaluate_one
from search.evaluation.quality import Failure, Fidelity


class LocalProcesses:
    """Evaluates in processes of this machine, which start with the first candidate and end with the ``with`` block.

    Each has one candidate at a time. Where one dies, all end: that is how the standard library's pool works. What they
    were at is evaluated again, each with nothing beside it, so that a second death has one cause.

    Args:
        job: What they open.
        processes: How many.
        evaluate: What they do with a candidate.
    """

    def __init__(self, job: EvaluationJob, processes: int, evaluate: EvaluateOne = evaluate_one) -> None:
        self._job = job
        self._processes = processes
        self._evaluate = evaluate
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalProcesses:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        self.close()

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`search.evaluation.workers.QualityPool`."""
        results: dict[int, Result] = {}
        waiting = deque(range(len(architectures)))
        running: dict[Future[Result], int] = {}
        while waiting or running:
            while waiting and len(running) < self._processes:
                index = waiting.popleft()
                running[self._submitted(architectures[index], fidelity)] = index
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            if any(_died(future) for future in done):
                done, _ = wait(running)
            suspects = sorted(running[future] for future in done if _died(future))
            for future in done:
                index = running.pop(future)
                results[index] = self._alone(architectures[index], fidelity) if index in suspects else future.result()
                finished()
        return [results[index] for index in range(len(architectures))]

    def close(self) -> None:
        """End the processes, in the middle of their work where they have any."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        for process in list((executor._processes or {}).values()):
            process.kill()
        executor.shutdown(wait=True)

    def _alone(self, architecture: Architecture, fidelity: Fidelity) -> Result:
        """Evaluate again, with nothing beside it, a candidate that may have been the end of its process."""
        future = self._submitted(architecture, fidelity)
        if _died(future):
            self.close()
            return Failure(f"network {architecture.key[:12]}: the process at work on it died, twice; out of memory?")
        return future.result()

    def _submitted(self, architecture: Architecture, fidelity: Fidelity) -> Future[Result]:
        """The evaluation of a candidate by a process of a pool that works."""
        for _ in range(2):
            if self._executor is None:
                context = get_context("spawn")
                self._executor = ProcessPoolExecutor(self._processes, context, initializer=follow_parent)
            try:
                return self._executor.submit(self._evaluate, self._job, architecture, fidelity)
            except BrokenProcessPool:
                self.close()
        raise BrokenProcessPool("processes die before they are given anything")


def follow_parent() -> None:
    """Let this process end when its parent does, however that ends, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _died(future: Future[Result]) -> bool:
    """Wait for it, and say whether its process died."""
    return isinstance(future.exception(), BrokenProcessPool)
