"""Training on several devices: one process each, gradients averaged."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from hyctas.errors import InvalidInput
from search.datasets.catalogue import open_dataset
from search.training.ranks import Rank
from search.training.supernet_training import SupernetJob, train_supernet
from search.training.trainer import TrainingProgress

LOOPBACK = "127.0.0.1"


def train_together(
    job: SupernetJob, dataset: str, *, world: int, device: str, progress: TrainingProgress, loaders: int = 0
) -> None:
    """Train a supernet in several processes of this machine; each takes batches of its own, of the full batch size.

    Args:
        job: What to train; its data set is opened again in each process.
        dataset: Name of the data set, as for :func:`search.datasets.catalogue.open_dataset`.
        world: Processes.
        device: ``cuda`` (each process has a GPU of its own) or ``cpu``.
        progress: Told by the first process how it goes on.
        loaders: Processes that prepare the batches of each.

    Raises:
        InvalidInput: There are fewer GPUs than processes.
    """
    if device == "cuda" and torch.cuda.device_count() < world:
        raise InvalidInput("devices", world, f"up to {torch.cuda.device_count()}, the GPUs of this machine")
    plain = (job.space, job.networks, job.training, str(job.folder), dataset)
    multiprocessing.spawn(_process, (plain, world, device, loaders, _free_port(), progress), nprocs=world)


def _process(
    number: int,
    plain: tuple[object, ...],
    world: int,
    device: str,
    loaders: int,
    port: int,
    progress: TrainingProgress,
) -> None:
    """One of the processes."""
    space, networks, training, folder, dataset = plain
    job = SupernetJob(space, networks, open_dataset(str(dataset)), training, Path(str(folder)))  # type: ignore[arg-type]
    name = f"cuda:{number}" if device == "cuda" else "cpu"
    rank = Rank(torch.device(name), number, world, loaders)
    with _group(number, world, port, "nccl" if device == "cuda" else "gloo"):
        train_supernet(job, rank=rank, progress=progress if rank.leads else Silent())


class Silent:
    """Progress that nobody wants to know."""

    def training(self, steps: int, done: int) -> None:
        """Say nothing."""

    def trained(self, loss: float) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _group(number: int, world: int, port: int, backend: str) -> Iterator[None]:
    distributed.init_process_group(backend, init_method=f"tcp://{LOOPBACK}:{port}", rank=number, world_size=world)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
