"""The supernet of a search: trained where it is not, checked where it is, and given to workers that evaluate on it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hyctas.errors import CheckpointMismatch, InvalidInput
from search.datasets.catalogue import open_dataset
from search.datasets.dataset import Dataset
from search.evaluation.workers import EvaluationJob, QualityPool, quality_pool
from search.plan import SearchPlan
from search.training.distributed import train_together
from search.training.ranks import alone
from search.training.supernet_training import SupernetJob, supernet_sha256, train_supernet
from search.training.trainer import TrainingProgress


@dataclass(frozen=True, slots=True)
class Workers:
    """Where candidates are evaluated.

    Attributes:
        processes: Local processes; 0 evaluates in this one.
        dask: Address of a Dask scheduler to use instead, or None.
        gpus: GPUs that train the supernet together.
    """

    processes: int = 0
    dask: str | None = None
    gpus: int = 1


@dataclass(frozen=True, slots=True)
class SupernetEvaluation:
    """Trains and evaluates for one search.

    Attributes:
        plan: What the search is told to do.
        workers: Where that is done.
    """

    plan: SearchPlan
    workers: Workers

    def dataset(self) -> Dataset:
        """The data set, whose classes must be those of the networks.

        Raises:
            InvalidInput: They are not.
            DatasetError: It cannot be used.
        """
        dataset = open_dataset(self.plan.dataset)
        expected = self.plan.networks.classes
        if len(dataset.classes) != expected:
            raise InvalidInput("classes", expected, f"{len(dataset.classes)}, as in {dataset.name}")
        return dataset

    def check_workers(self) -> None:
        """Find out before any training whether the cluster that is to evaluate is there.

        Raises:
            SearchError: Its scheduler does not answer.
        """
        if self.workers.dask is not None:
            with self.pool(""):
                pass

    def trained(self, dataset: Dataset, progress: TrainingProgress, *, expected: str | None) -> str:
        """Train the supernet where it is not; returns the SHA-256 of its parameters.

        Args:
            dataset: What it learns from.
            progress: Told how training goes on.
            expected: The SHA-256 of the supernet that scored candidates of this search before, if any did.

        Raises:
            CheckpointMismatch: The folder holds another supernet.
            TrainingDiverged: A loss is not finite.
        """
        plan = self.plan
        job = SupernetJob(plan.space, plan.networks, dataset, plan.training, Path(plan.supernet))
        if self.workers.gpus > 1:
            train_together(job, plan.dataset, world=self.workers.gpus, device="cuda", progress=progress)
        else:
            train_supernet(job, rank=alone(), progress=progress)
        found = supernet_sha256(job.folder)
        if expected not in (None, found):
            raise CheckpointMismatch(
                f"the supernet in {plan.supernet} has SHA-256 {found}; candidates of this search were scored by "
                f"{expected}. Put that one back, or begin another search"
            )
        return found

    def pool(self, sha256: str) -> AbstractContextManager[QualityPool]:
        """Workers that evaluate on the supernet with that SHA-256."""
        plan, workers = self.plan, self.workers
        size = (plan.training.height, plan.training.width)
        job = EvaluationJob(supernet=plan.supernet, sha256=sha256, dataset=plan.dataset, size=size)
        return quality_pool(job, processes=workers.processes, dask=workers.dask)
