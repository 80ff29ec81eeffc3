"""Evaluating candidates in this process, in several local ones, or on a Dask cluster; the results are the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import torch

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch, SearchError
from search.augmentation import Size
from search.datasets.catalogue import open_dataset
from search.evaluation.quality import Failure, Fidelity, Quality, SupernetQuality
from search.training.supernet_training import load_supernet

Result = Quality | Failure


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """What every worker opens once.

    Attributes:
        supernet: Folder of the trained supernet, as the workers see it.
        sha256: Of its parameters, so that no worker evaluates another one.
        dataset: Name of the data set, as for :func:`search.datasets.catalogue.open_dataset`.
        size: Height and width of the images.
        device: Where to compute.
    """

    supernet: str
    sha256: str
    dataset: str
    size: Size
    device: str = "cpu"


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
        """


@contextlib.contextmanager
def quality_pool(job: EvaluationJob, *, processes: int = 0, dask: str | None = None) -> Iterator[QualityPool]:
    """Workers that evaluate candidates; they end with the block.

    Args:
        job: What they open.
        processes: Local processes; 0 evaluates in this one.
        dask: Address of a Dask scheduler whose workers evaluate instead.

    Raises:
        CheckpointMismatch: The supernet is another than the job says.
        SearchError: The scheduler does not answer.
    """
    if dask is not None:
        with _dask_pool(job, dask) as pool:
            yield pool
    elif processes == 0:
        yield InProcess(job)
    else:
        pool = LocalProcesses(job, processes)
        try:
            yield pool
        finally:
            pool.close()


def evaluate_one(job: EvaluationJob, architecture: Architecture, fidelity: Fidelity) -> Result:
    """Evaluate one candidate in this process, with one thread on a CPU, so that sums have one order everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return opened(job)(architecture, fidelity)
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def opened(job: EvaluationJob) -> SupernetQuality:
    """The evaluator of a job, opened once in a process.

    Raises:
        CheckpointMismatch: The supernet is another than the job says.
    """
    trained = load_supernet(Path(job.supernet), job.device)
    if trained.sha256 != job.sha256:
        raise CheckpointMismatch(
            f"the supernet in {job.supernet} has SHA-256 {trained.sha256[:12]}, the search expects {job.sha256[:12]}"
        )
    return SupernetQuality(trained.supernet, open_dataset(job.dataset), job.size)


class InProcess:
    """Evaluates in this process."""

    def __init__(self, job: EvaluationJob) -> None:
        self._job = job

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`QualityPool`."""
        results = []
        for architecture in architectures:
            results.append(evaluate_one(self._job, architecture, fidelity))
            finished()
        return results


class LocalProcesses:
    """Evaluates in processes of this machine; one that dies takes down only the candidate that it was at."""

    def __init__(self, job: EvaluationJob, processes: int) -> None:
        self._job = job
        self._processes = processes
        self._executor: ProcessPoolExecutor | None = None

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`QualityPool`."""
        futures = [self._submit(architecture, fidelity) for architecture in architectures]
        results: list[Result | None] = []
        for future in futures:
            results.append(_settled(future))
            if results[-1] is not None:
                finished()
        for index, architecture in enumerate(architectures):
            if results[index] is None:
                results[index] = self._alone(architecture, fidelity)
                finished()
        return [result for result in results if result is not None]

    def close(self) -> None:
        """End the processes, in the middle of their work where they have any."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        workers = list((executor._processes or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
            worker.join()

    def _alone(self, architecture: Architecture, fidelity: Fidelity) -> Result:
        """Evaluate a candidate again whose process died, or one that worked beside it, with nothing beside it."""
        result = _settled(self._submit(architecture, fidelity))
        if result is None:
            self.close()
            return Failure(f"network {architecture.key[:12]}: the process that evaluated it died, twice")
        return result

    def _submit(self, architecture: Architecture, fidelity: Fidelity) -> Future[Result]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
        try:
            return self._executor.submit(evaluate_one, self._job, architecture, fidelity)
        except BrokenProcessPool:
            self.close()
            return self._submit(architecture, fidelity)


def _settled(future: Future[Result]) -> Result | None:
    """What came of it; None where its process died."""
    try:
        return future.result()
    except BrokenProcessPool:
        return None


@contextlib.contextmanager
def _dask_pool(job: EvaluationJob, address: str) -> Iterator[QualityPool]:
    from distributed import Client

    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise SearchError(f"no Dask scheduler answers at {address}: {error}") from error
    try:
        yield DaskWorkers(job, client)
    finally:
        client.close()


class DaskWorkers:
    """Evaluates on a Dask cluster, whose workers see the supernet and the data set under the same names."""

    def __init__(self, job: EvaluationJob, client: object) -> None:
        self._job = job
        self._client = client

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`QualityPool`."""
        futures = [
            self._client.submit(evaluate_one, self._job, architecture, fidelity, pure=False, retries=1)  # type: ignore[attr-defined]
            for architecture in architectures
        ]
        results = []
        for architecture, future in zip(architectures, futures, strict=True):
            results.append(_dask_result(architecture, future))
            finished()
        return results


def _dask_result(architecture: Architecture, future: object) -> Result:
    from distributed.scheduler import KilledWorker

    try:
        result: Result = future.result()  # type: ignore[attr-defined]
    except KilledWorker as error:
        return Failure(f"network {architecture.key[:12]}: {error}")
    return result
