"""The loop: batches in, losses backwards, updates, checkpoints. Supernet and networks of their own share it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch, TrainingDiverged
from search.batches import Batch, TrainingBatches
from search.evaluation.layout import memory_format
from search.training.checkpoint import (
    load_checkpoint,
    load_parameters,
    remove_unfinished_checkpoints,
    save_checkpoint,
)
from search.training.divergence import diverged
from search.training.interruption import deferred_interrupt
from search.training.optimiser import clip_gradients, optimiser_of, set_learning_rate
from search.training.precision import forward_dtype
from search.training.ranks import Rank
from search.training.schedule import learning_rate
from search.training.settings import TrainingSettings
from search.training.training_log import StepRecord, TrainingLog


@dataclass(frozen=True, slots=True)
class PassLoss:
    """The loss of one network on one batch.

    Attributes:
        architecture: Which network.
        loss: A scalar that can go backwards.
    """

    architecture: Architecture
    loss: Tensor


class Passes(Protocol):
    """What a step does with a batch."""

    def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
        """The loss of each pass; one is computed when the one before has gone backwards."""


class TrainingProgress(Protocol):
    """Told how training goes on."""

    def training(self, steps: int, done: int) -> None:
        """Training begins; `done` of its steps were done before."""

    def trained(self, loss: float) -> None:
        """One more step is done."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What is trained, and where it is kept.

    Attributes:
        module: Owns the parameters.
        identity: What its checkpoint belongs to, as JSON values.
        folder: Folder of checkpoint and log.
    """

    module: nn.Module
    identity: Mapping[str, Any] = field(hash=False)
    folder: Path


class Trainer:
    """Trains until the last step, from wherever the folder's checkpoint stands.

    On a CPU a resumed training ends with the same bits as one that was not interrupted, given as many threads. On a
    GPU it need not: the gradient of bilinear resizing has no deterministic form there. No random state is kept, as
    what is drawn depends on the seed and the step alone.

    Args:
        trained: What to train; its module is on the rank's device, in :func:`search.evaluation.layout.memory_format`.
        passes: What a step does.
        batches: Data; what a step gets depends on its number alone, so nothing but the number has to be kept.
        settings: How.
        rank: Which process this is of those that train together, and on which device.
        progress: Told how it goes on.
        clock: Gives nanoseconds.
    """

    def __init__(
        self,
        trained: Trained,
        passes: Passes,
        *,
        batches: TrainingBatches,
        settings: TrainingSettings,
        rank: Rank,
        progress: TrainingProgress,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._trained = trained
        self._passes = passes
        self._batches = batches
        self._settings = settings
        self._rank = rank
        self._progress = progress
        self._clock = clock
        self._log = TrainingLog(trained.folder)
        self._optimiser = optimiser_of(trained.module, settings)
        self._dtype = forward_dtype(settings.precision, rank.device)
        self._scaler = torch.amp.GradScaler(rank.device.type, enabled=self._dtype is torch.float16)

    def run(self, *, until: int | None = None) -> None:
        """Go through all steps that are left.

        Args:
            until: Stop after this step, with a checkpoint, if it is not the last.

        Raises:
            CheckpointMismatch: The folder holds a checkpoint of something else.
            TrainingDiverged: A loss or a gradient is not finite; the last checkpoint is kept.
            KeyboardInterrupt: Somebody pressed Ctrl-C; the step under way is finished, and all steps are kept.
        """
        first = self._resume()
        steps = self._settings.steps
        last = steps if until is None else min(until, steps)
        self._progress.training(last, first)
        self._trained.module.train()
        batches = self._batches.starting_at(first * self._settings.accumulation)
        with deferred_interrupt() as interruption:
            for step in range(first, last):
                self._progress.trained(self._step(step, batches))
                interrupted = interruption.asked
                if interrupted or step + 1 == last or (step + 1) % self._settings.checkpoint_every == 0:
                    self._keep(step + 1)
                if interrupted:
                    raise KeyboardInterrupt

    def _step(self, step: int, batches: Iterator[Batch]) -> float:
        started_ns = self._clock()
        rate = learning_rate(step, self._settings)
        set_learning_rate(self._optimiser, rate)
        self._optimiser.zero_grad(set_to_none=True)
        passes = [found for _ in range(self._settings.accumulation) for found in self._backward(step, next(batches))]
        networks = tuple(dict.fromkeys(architecture for architecture, _ in passes))
        norm = self._update(step, networks)
        loss = sum(loss for _, loss in passes) / len(passes)
        if self._rank.leads:
            seconds = (self._clock() - started_ns) / 1e9
            self._log.add(StepRecord(step, loss, rate, norm, seconds, tuple(network.key for network in networks)))
        return loss

    def _backward(self, step: int, batch: Batch) -> Iterator[tuple[Architecture, float]]:
        """Let each pass go backwards; the network of each, and its loss."""
        device = self._rank.device
        images = batch.images.to(device, memory_format=memory_format(device))
        passes = self._passes.losses(step, images, batch.labels.to(device))
        while True:
            with torch.autocast(device.type, self._dtype, enabled=self._dtype is not torch.float32):
                found = next(passes, None)
            if found is None:
                return
            loss = found.loss.item()
            if not math.isfinite(loss):
                raise self._diverged(f"the loss of step {step} is {loss}", (found.architecture,))
            self._scaler.scale(found.loss / self._settings.accumulation).backward()
            yield found.architecture, loss

    def _update(self, step: int, networks: Sequence[Architecture]) -> float | None:
        """Apply the gradients; returns their length. Those that overflow in fp16 are left out, with a smaller scale."""
        self._scaler.unscale_(self._optimiser)
        norm = clip_gradients(self._trained.module, self._settings.clip_norm)
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            raise self._diverged(f"the gradient of step {step} has length {norm}", networks)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return norm if math.isfinite(norm) else None

    def _diverged(self, what: str, networks: Sequence[Architecture]) -> TrainingDiverged:
        return diverged(self._trained.folder, what, networks, self._settings.learning_rate)

    def _resume(self) -> int:
        """Load the checkpoint, if there is one; returns the step to go on with."""
        found = load_checkpoint(self._trained.folder, self._trained.identity)
        step = 0 if found is None else self._load(found[1])
        if self._rank.leads:
            remove_unfinished_checkpoints(self._trained.folder)
            self._log.cut(step)
        return step

    def _load(self, state: Mapping[str, Any]) -> int:
        step = int(state["step"])
        load_parameters(self._trained.module, self._trained.folder, state)
        if step < self._settings.steps:
            self._check_world(int(state["world"]))
            self._optimiser.load_state_dict(state["optimiser"])
            self._scaler.load_state_dict(state["scaler"])
        return step

    def _check_world(self, before: int) -> None:
        """Other shares of the data would repeat some images and leave out others."""
        if before != self._rank.world:
            raise CheckpointMismatch(
                f"{self._trained.folder} holds a training by {before} processes together, which {self._rank.world} "
                f"cannot go on with; train with {before}, or give another folder"
            )

    def _keep(self, step: int) -> None:
        """Write a checkpoint; that of the last step holds no more than a finished training needs."""
        if not self._rank.leads:
            return
        state: dict[str, Any] = {"step": step, "parameters": self._trained.module.state_dict()}
        if step < self._settings.steps:
            state["world"] = self._rank.world
            state["optimiser"] = self._optimiser.state_dict()
            state["scaler"] = self._scaler.state_dict()
        self._log.sync()
        save_checkpoint(self._trained.folder, self._trained.identity, state)
