"""What every evaluating process opens once, and how it evaluates one candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import torch

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch
from search.datasets.catalogue import open_dataset
from search.evaluation.quality import Failure, Fidelity, Quality, SupernetQuality
from search.resampling import Size
from search.training.supernet_training import load_supernet

Result = Quality | Failure

_OPENING = Lock()


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """What to evaluate candidates with.

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


EvaluateOne = Callable[[EvaluationJob, Architecture, Fidelity], Result]
"""Evaluates one candidate in the process that it is called in; other processes import it by name."""


def evaluate_one(job: EvaluationJob, architecture: Architecture, fidelity: Fidelity) -> Result:
    """Evaluate one candidate with one thread, so that sums have one order everywhere.

    Raises:
        CheckpointMismatch: The supernet is missing, or another than the job says.
        DatasetError: The data set cannot be used.
    """
    torch.set_num_threads(1)
    with _OPENING:
        evaluate = opened(job)
    return evaluate(architecture, fidelity)


@lru_cache(maxsize=1)
def opened(job: EvaluationJob) -> SupernetQuality:
    """The evaluator of a job, which the process keeps until it opens another.

    Raises:
        CheckpointMismatch: The supernet is missing, or another than the job says.
        DatasetError: The data set cannot be used.
    """
    trained = load_supernet(Path(job.supernet), job.device)
    if trained.sha256 != job.sha256:
        raise CheckpointMismatch(
            f"the supernet in {job.supernet} has SHA-256 {trained.sha256[:12]}, the search expects {job.sha256[:12]}; "
            "copy the search's supernet there"
        )
    return SupernetQuality(trained.supernet, open_dataset(job.dataset), job.size)
