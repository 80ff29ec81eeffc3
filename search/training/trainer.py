"""The loop: batches in, losses backwards, updates, checkpoints. Supernet and networks of their own share it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.errors import TrainingDiverged
from search.atomic import write_atomically
from search.batches import TrainingBatches
from search.training.checkpoint import load_checkpoint, save_checkpoint
from search.training.settings import TrainingSettings

LOG: Final = "training.jsonl"
DIVERGED: Final = "diverged.json"
POWER: Final = 0.9


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
        leads: Whether this process writes them; of several that train together one does.
    """

    module: nn.Module
    identity: Mapping[str, Any] = field(hash=False)
    folder: Path
    leads: bool = True


class Trainer:
    """Trains until the last step, from wherever the folder's checkpoint stands.

    Args:
        trained: What to train.
        passes: What a step does.
        batches: Data; what a step gets depends on its number alone, so nothing but the number has to be kept.
        settings: How.
        device: Where the module is.
        progress: Told how it goes on.
    """

    def __init__(
        self,
        trained: Trained,
        passes: Passes,
        batches: TrainingBatches,
        settings: TrainingSettings,
        *,
        device: torch.device,
        progress: TrainingProgress,
    ) -> None:
        self._trained = trained
        self._passes = passes
        self._batches = batches
        self._settings = settings
        self._device = device
        self._progress = progress
        self._optimiser = optimiser_of(trained.module, settings)
        self._precision = _precision(settings, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._precision is torch.float16)

    def run(self, *, until: int | None = None) -> None:
        """Go through all steps that are left.

        Args:
            until: Stop after this step, with a checkpoint, if it is not the last.

        Raises:
            CheckpointMismatch: The folder holds a checkpoint of something else.
            TrainingDiverged: A loss is not finite; the last checkpoint is kept.
        """
        first = self._resume()
        steps = self._settings.steps
        last = steps if until is None else min(until, steps)
        self._progress.training(last, first)
        self._trained.module.train()
        batches = self._batches.starting_at(first * self._settings.accumulation)
        for step in range(first, last):
            self._progress.trained(self._step(step, batches))
            if (step + 1) % self._settings.checkpoint_every == 0 or step + 1 == last:
                self._keep(step + 1)

    def _step(self, step: int, batches: Iterator[Any]) -> float:
        rate = learning_rate(step, self._settings)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        losses = [loss for _ in range(self._settings.accumulation) for loss in self._backward(step, next(batches))]
        if self._settings.clip_norm:
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self._trained.module.parameters(), self._settings.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        mean = sum(losses) / len(losses)
        self._log(step, mean, rate)
        return mean

    def _backward(self, step: int, batch: Any) -> Iterator[float]:
        images, labels = batch.images.to(self._device), batch.labels.to(self._device)
        passes = self._passes.losses(step, images, labels)
        while True:
            with torch.autocast(self._device.type, self._precision, enabled=self._precision is not torch.float32):
                found = next(passes, None)
            if found is None:
                return
            loss = found.loss.item()
            if not math.isfinite(loss):
                self._diverged(step, found.architecture, loss)
            self._scaler.scale(found.loss / self._settings.accumulation).backward()
            yield loss

    def _diverged(self, step: int, architecture: Architecture, loss: float) -> None:
        path = self._trained.folder / DIVERGED
        write_atomically(path, json.dumps(to_json(architecture), indent=2).encode())
        raise TrainingDiverged(
            f"the loss of step {step} is {loss}, of the network {architecture.key[:12]} ({path}); the checkpoint "
            f"before it is kept. Lower the learning rate ({self._settings.learning_rate:g}) or clip gradients"
        )

    def _resume(self) -> int:
        """Load the checkpoint, if there is one; returns the step to go on with."""
        found = load_checkpoint(self._trained.folder, self._trained.identity)
        step = 0
        if found is not None:
            state = found[1]
            step = int(state["step"])
            self._trained.module.load_state_dict(state["parameters"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._scaler.load_state_dict(state["scaler"])
        if self._trained.leads:
            _cut_log(self._trained.folder / LOG, step)
        return step

    def _keep(self, step: int) -> None:
        if not self._trained.leads:
            return
        state = {
            "step": step,
            "parameters": self._trained.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        save_checkpoint(self._trained.folder, self._trained.identity, state)

    def _log(self, step: int, loss: float, rate: float) -> None:
        if self._trained.leads:
            with (self._trained.folder / LOG).open("a") as file:
                file.write(json.dumps({"step": step, "loss": loss, "learning_rate": rate}) + "\n")


def optimiser_of(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser; weights decay, biases, batch norms and gates do not. What has no gradient stays as it is."""
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)
    return make(groups, lr=settings.learning_rate)


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then polynomial decay with power 0.9 to nothing."""
    rising = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    falling: float = (1.0 - step / settings.steps) ** POWER
    return settings.learning_rate * rising * falling


def _precision(settings: TrainingSettings, device: torch.device) -> torch.dtype:
    if settings.precision == "auto":
        on_cuda = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if on_cuda else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]


def _cut_log(path: Path, step: int) -> None:
    """Drop the lines of steps that are done again."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    kept = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")][:step]
    write_atomically(path, "".join(kept).encode())
