"""Training on several devices: one process each, gradients averaged."""

from __future__ import annotations

import contextlib
import signal
import socket
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import distributed, multiprocessing

from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import HyctasError, InvalidInput, SearchError
from hyctas.space import SearchSpace
from search.datasets.catalogue import open_dataset
from search.training.ranks import Rank
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, train_supernet
from search.training.trainer import TrainingProgress

LOOPBACK: Final = "127.0.0.1"
POLL_S: Final = 0.1


def train_together(
    job: SupernetJob, dataset: str, *, world: int, device: str, progress: TrainingProgress, loaders: int = 0
) -> None:
    """Train a supernet in several processes of this machine; each takes batches of its own, of the full batch size.

    All train the same network at a time, so the result is that of one process that takes `world` batches a step.

    Args:
        job: What to train; its data set is opened again in each process.
        dataset: Name of the data set, as for :func:`search.datasets.catalogue.open_dataset`.
        world: Processes.
        device: ``cuda`` (each process has a GPU of its own) or ``cpu``.
        progress: Told here how the first process goes on.
        loaders: Processes that prepare the batches of each.

    Raises:
        InvalidInput: There are fewer GPUs than processes.
        CheckpointMismatch: The folder holds a checkpoint of something else.
        TrainingDiverged: A loss or a gradient is not finite in one of them.
        SearchError: A process died.
        KeyboardInterrupt: Somebody pressed Ctrl-C; what was trained since the last checkpoint is lost.
    """
    if device == "cuda" and torch.cuda.device_count() < world:
        raise InvalidInput("gpus", world, f"up to {torch.cuda.device_count()}, the GPUs of this machine")
    context = multiprocessing.get_context("spawn")
    said, failed = context.SimpleQueue(), context.SimpleQueue()
    shared = _Shared(job.space, job.networks, job.training, job.folder, dataset, world, device, loaders, _free_port())
    processes = multiprocessing.spawn(_process, (shared, said, failed), nprocs=world, join=False)
    try:
        while not processes.join(timeout=POLL_S):
            _tell(progress, said)
    except (multiprocessing.ProcessRaisedException, multiprocessing.ProcessExitedException) as error:
        if not failed.empty():
            raise failed.get() from error
        raise SearchError(f"a process of the training died: {error}; is the memory enough?") from error
    finally:
        _end(processes.processes)
    _tell(progress, said)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every process is told."""

    space: SearchSpace
    networks: ArchitectureDefaults
    training: TrainingSettings
    folder: Path
    dataset: str
    world: int
    device: str
    loaders: int
    port: int

    def job(self) -> SupernetJob:
        return SupernetJob(self.space, self.networks, open_dataset(self.dataset), self.training, self.folder)

    def rank(self, number: int) -> Rank:
        device = torch.device(self.device, number) if self.device == "cuda" else torch.device(self.device)
        return Rank(device, number, self.world, self.loaders)


class _Relay:
    """Progress that is told to the process which started this one."""

    def __init__(self, said: Any) -> None:
        self._said = said

    def training(self, steps: int, done: int) -> None:
        """Training begins."""
        self._said.put(("training", (steps, done)))

    def trained(self, loss: float) -> None:
        """One more step is done."""
        self._said.put(("trained", (loss,)))


class _Silent:
    """Progress that nobody wants to know."""

    def training(self, steps: int, done: int) -> None:
        """Say nothing."""

    def trained(self, loss: float) -> None:
        """Say nothing."""


def _end(processes: Sequence[Any]) -> None:
    """End those that still run, as after Ctrl-C; they may wait for each other for ever."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _tell(progress: TrainingProgress, said: Any) -> None:
    while not said.empty():
        name, arguments = said.get()
        getattr(progress, name)(*arguments)


def _process(number: int, shared: _Shared, said: Any, failed: Any) -> None:
    """One of the processes. What went wrong travels to the parent, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends them.
    # Told of each 1x1 convolution: channels last or first is the same there, and costs nothing to mistake.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    rank = shared.rank(number)
    if rank.device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // rank.world))
    try:
        with _group(rank, shared.port):
            train_supernet(shared.job(), rank=rank, progress=_Relay(said) if rank.leads else _Silent())
    except HyctasError as error:
        failed.put(error if isinstance(error, SearchError) else SearchError(str(error)))
        raise


@contextlib.contextmanager
def _group(rank: Rank, port: int) -> Iterator[None]:
    """Connect with the other processes; they are not waited for after an error, as they may never come."""
    if rank.device.type == "cuda":
        torch.cuda.set_device(rank.device)
    distributed.init_process_group(
        "nccl" if rank.device.type == "cuda" else "gloo",
        init_method=f"tcp://{LOOPBACK}:{port}",
        rank=rank.number,
        world_size=rank.world,
    )
    yield
    distributed.destroy_process_group()


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
