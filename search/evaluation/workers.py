"""Evaluating candidates in this process, in several local ones, or on a Dask cluster; the results are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from hyctas.architecture import Architecture
from hyctas.errors import InvalidInput
from search.evaluation.dask_workers import dask_workers
from search.evaluation.job import EvaluateOne, EvaluationJob, Result, evaluate_one
from search.evaluation.local_processes import LocalProcesses
from search.evaluation.quality import Fidelity

__all__ = ["EvaluationJob", "InProcess", "QualityPool", "Result", "quality_pool"]


class QualityPool(Protocol):
    """Evaluates candidates."""

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """The quality of each, in their order; one that could not be evaluated is a failure that says why.

        Args:
            architectures: What to evaluate.
            fidelity: How carefully.
            finished: Called for each that is done.

        Raises:
            CheckpointMismatch: The supernet is missing, or another than the job says.
            SearchError: There is nothing to evaluate with.
        """


@contextmanager
def quality_pool(
    job: EvaluationJob, *, processes: int = 0, dask: str | None = None, evaluate: EvaluateOne = evaluate_one
) -> Iterator[QualityPool]:
    """Workers that evaluate candidates; those that it started end with the block.

    Args:
        job: What they open.
        processes: Local processes; 0 evaluates in this one.
        dask: Address of a Dask scheduler whose workers evaluate instead.
        evaluate: What a worker does with a candidate.

    Raises:
        InvalidInput: The number of processes is negative.
        SearchError: The scheduler does not answer, or has no worker.
    """
    if processes < 0:
        raise InvalidInput("processes", processes, "0 (this process) or more")
    if dask is not None:
        with dask_workers(job, dask, evaluate) as pool:
            yield pool
    elif processes == 0:
        yield InProcess(job, evaluate)
    else:
        with LocalProcesses(job, processes, evaluate) as pool:
            yield pool


class InProcess:
    """Evaluates in this process.

    Args:
        job: What it opens.
        evaluate: What it does with a candidate.
    """

    def __init__(self, job: EvaluationJob, evaluate: EvaluateOne = evaluate_one) -> None:
        self._job = job
        self._evaluate = evaluate

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`QualityPool`; other work of this process has its threads back afterwards."""
        threads = torch.get_num_threads()
        results = []
        try:
            for architecture in architectures:
                results.append(self._evaluate(self._job, architecture, fidelity))
                finished()
        finally:
            torch.set_num_threads(threads)
        return results
