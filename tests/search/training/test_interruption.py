"""Ctrl-C in the middle of a step: the step is finished and kept."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from search.datasets.dataset import Sample, Split
from search.training.interruption import deferred_interrupt
from search.training.supernet_training import SupernetJob
from tests.search.training.small import Watched, sha256, state, supernet_job, trained

torch.set_num_threads(1)
NEVER = 1000


@contextlib.contextmanager
def restored(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Let a signal have this handler in the block."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C raises, as it does unless somebody changes that."""
    with restored(signal.SIGINT, signal.default_int_handler):
        yield


@dataclasses.dataclass
class Pressing:
    """A split at which somebody presses Ctrl-C when the image of a certain draw is read."""

    split: Split
    at: int
    times: int = 1
    name: str = "training"
    read: int = 0

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Sample:
        self.read += 1
        if self.read == self.at:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return self.split[index]


def pressed(job: SupernetJob, *, at: int, times: int = 1) -> SupernetJob:
    split = Pressing(job.dataset.training, at, times)
    return dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, training=split))


def test_steps_since_the_last_checkpoint_are_kept(tmp_path: Path) -> None:
    undisturbed = trained(supernet_job(tmp_path / "undisturbed"))
    job, progress = supernet_job(tmp_path / "stopped", checkpoint_every=NEVER), Watched()
    with pytest.raises(KeyboardInterrupt):
        trained(pressed(job, at=6), progress)
    assert len(progress.losses) == state(job.folder)["step"] == 3
    assert sha256(trained(job)) == sha256(undisturbed)


def test_pressing_twice_stops_in_the_middle_of_a_step(tmp_path: Path) -> None:
    job, progress = supernet_job(tmp_path), Watched()
    with pytest.raises(KeyboardInterrupt):
        trained(pressed(job, at=6, times=2), progress)
    assert len(progress.losses) == state(job.folder)["step"] == 2


def test_last_step_is_kept_too(tmp_path: Path) -> None:
    job = supernet_job(tmp_path, steps=1)
    with pytest.raises(KeyboardInterrupt):
        trained(pressed(job, at=1))
    assert state(job.folder)["step"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_interrupts_raises_again_afterwards(number: signal.Signals) -> None:
    with restored(number, signal.default_int_handler):
        with deferred_interrupt() as interruption:
            signal.raise_signal(number)
            assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_does_something_else_is_left_alone(number: signal.Signals) -> None:
    with restored(number, signal.SIG_IGN):
        with deferred_interrupt() as interruption:
            assert signal.getsignal(number) is signal.SIG_IGN
            signal.raise_signal(number)
        assert not interruption.asked


def test_other_threads_change_nothing() -> None:
    handlers = []

    def work() -> None:
        with deferred_interrupt():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
