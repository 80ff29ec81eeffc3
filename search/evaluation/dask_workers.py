"""Evaluation on a Dask cluster."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hyctas.architecture import Architecture
from hyctas.errors import HyctasError, SearchError
from search.datasets.catalogue import anywhere
from search.evaluation.job import EvaluateOne, EvaluationJob, Result
from search.evaluation.quality import Failure, Fidelity

CONNECT_S: Final = 10.0
"""How long a scheduler may take to answer."""
PATIENCE_S: Final = 60.0
"""How long to wait for a worker where there is none."""
_LOOK_S: Final = 5.0


@contextmanager
def dask_workers(job: EvaluationJob, address: str, evaluate: EvaluateOne) -> Iterator[DaskWorkers]:
    """The workers of the scheduler at `address`, which go on when the block ends.

    Raises:
        SearchError: Dask is not installed, the scheduler does not answer, or no worker comes.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SearchError("Dask is not installed; install it with: pip install 'hyctas[fleet]'") from error
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise SearchError(f"no Dask scheduler answers at {address}: {error}") from error
    try:
        yield DaskWorkers(_absolute(job), client, evaluate)
    finally:
        client.close()


class DaskWorkers:
    """Evaluates on a Dask cluster, whose workers see the supernet and the data set under the same names.

    Only names travel; each worker process opens supernet and data set once. A candidate whose worker dies is evaluated
    elsewhere as often as the scheduler's ``distributed.scheduler.allowed-failures`` says, then alone, and fails then.

    Args:
        job: What the workers open, by absolute paths.
        client: Connected to the scheduler.
        evaluate: What they do with a candidate.
    """

    def __init__(self, job: EvaluationJob, client: Any, evaluate: EvaluateOne) -> None:
        self._job = job
        self._client = client
        self._evaluate = evaluate

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """See :class:`search.evaluation.workers.QualityPool`."""
        results = self._together(architectures, fidelity, finished)
        suspects = [place for place, result in enumerate(results) if result is None]
        alone = {place: self._alone(architectures[place], fidelity, finished) for place in suspects}
        return [alone[place] if result is None else result for place, result in enumerate(results)]

    def _together(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None]
    ) -> list[Result | None]:
        """Evaluate all at once.

        Returns:
            A result for each; None where the scheduler gave up since workers died. It blames whatever waited on a
            worker together with what killed it.
        """
        self._await_worker()
        futures = [
            self._client.submit(evaluate_on_worker, self._evaluate, self._job, architecture, fidelity, pure=False)
            for architecture in architectures
        ]
        places = {future: place for place, future in enumerate(futures)}
        results: list[Result | None] = [None] * len(futures)
        try:
            for future in self._as_completed(futures):
                result = _result(future)
                if result is not None:
                    results[places[future]] = result
                    finished()
        finally:
            self._client.cancel(futures)
        return results

    def _alone(self, architecture: Architecture, fidelity: Fidelity, finished: Callable[[], None]) -> Result:
        """Evaluate one while no other runs, so that a worker that dies tells who killed it."""
        (result,) = self._together([architecture], fidelity, finished)
        if result is not None:
            return result
        finished()
        return Failure(f"network {architecture.key[:12]}: every worker that evaluated it died; out of memory?")

    def _as_completed(self, futures: Sequence[Any]) -> Iterator[Any]:
        from distributed import wait

        pending = set(futures)
        while pending:
            try:
                done = wait(pending, timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                self._await_worker()
                continue
            pending -= done
            yield from done

    def _await_worker(self) -> None:
        """Wait until the cluster has a worker.

        Raises:
            SearchError: None comes, or the scheduler is gone.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not self._workers():
            if time.monotonic() > deadline:
                raise SearchError(
                    f"the Dask scheduler at {self._client.scheduler.address} has no worker; start one with: "
                    f"dask worker {self._client.scheduler.address} --nthreads 1"
                )
            time.sleep(0.1)

    def _workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except (OSError, TimeoutError) as error:
            raise SearchError(f"the Dask scheduler is gone: {error}") from error


def evaluate_on_worker(
    evaluate: EvaluateOne, job: EvaluationJob, architecture: Architecture, fidelity: Fidelity
) -> Result:
    """Evaluate one candidate on a worker.

    Raises:
        SearchError: The worker does not see supernet or data set; says which worker.
    """
    from distributed import get_worker

    try:
        return evaluate(job, architecture, fidelity)
    except HyctasError as error:
        address = get_worker().address
        message = f"Dask worker {address}: {error}; each worker must see the same supernet and data set at these paths"
        raise SearchError(message) from error


def _result(future: Any) -> Result | None:
    """What came of a future that is done; None where the scheduler gave up since workers died."""
    from distributed.scheduler import KilledWorker

    if isinstance(future.exception(), KilledWorker):
        return None
    if future.cancelled():
        raise SearchError("the Dask scheduler lost what it was given; was it started again?")
    result: Result = future.result()
    return result


def _absolute(job: EvaluationJob) -> EvaluationJob:
    """The job with paths that mean the same in any folder."""
    return dataclasses.replace(job, supernet=str(Path(job.supernet).resolve()), dataset=anywhere(job.dataset))
