"""How networks are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from hyctas.errors import InvalidInput

Passes = Literal["single", "sandwich"]
Optimiser = Literal["sgd", "adamw"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

PASSES: Final[tuple[Passes, ...]] = get_args(Passes)
OPTIMISERS: Final[tuple[Optimiser, ...]] = get_args(Optimiser)
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
LEAST: Final[Mapping[str, int]] = MappingProxyType(
    {"steps": 1, "accumulation": 1, "checkpoint_every": 1, "batch_size": 2, "warmup_steps": 0, "seed": 0}
)
"""The smallest value of each count; a batch norm needs two images."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a network or a supernet is trained.

    The defaults follow the predecessor's supernet (FasterSeg, arXiv 1912.10917) where it says something.

    Attributes:
        steps: Updates of the parameters.
        batch_size: Images in a forward pass, on each device.
        height: Rows of the training crops, a multiple of 32.
        width: Columns, likewise.
        accumulation: Forward passes that one update averages.
        optimiser: ``sgd`` with momentum, or ``adamw``.
        learning_rate: After warming up; falls with (1 - step / steps) ** 0.9.
        momentum: Of SGD.
        weight_decay: Of weights that the step's network uses, biases and batch norms left out.
        warmup_steps: Steps over which the learning rate rises.
        hardest: Least share of the pixels that count in the loss, the hardest ones.
        mastered: Probability of the true class from which on a pixel need not count.
        auxiliary: Weight of each auxiliary head's loss.
        clip_norm: Longest gradient; 0 leaves it.
        class_weights: Whether rare classes weigh more.
        passes: ``single``: one network a step. ``sandwich``: the largest, the smallest and two others, which learn
            from the largest's output.
        precision: Of the forward pass; ``auto`` takes bf16 on CUDA where the device has it, else fp32.
        seed: Draws data, crops and networks.
        checkpoint_every: Steps between checkpoints.

    Raises:
        InvalidInput: A value is outside its range.
    """

    steps: int = 1000
    batch_size: int = 8
    height: int = 128
    width: int = 256
    accumulation: int = 1
    optimiser: Optimiser = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_steps: int = 50
    hardest: float = 0.2
    mastered: float = 0.7
    auxiliary: float = 0.2
    clip_norm: float = 0.0
    class_weights: bool = False
    passes: Passes = "single"
    precision: Precision = "auto"
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name, least in LEAST.items():
            self._check(name, getattr(self, name) >= least, f"at least {least}")
        for name in ("height", "width"):
            side = getattr(self, name)
            self._check(name, side >= 32 and side % 32 == 0, "a multiple of 32")
        self._check("learning_rate", 0 < self.learning_rate < math.inf, "a number above 0")
        for name in ("weight_decay", "auxiliary", "clip_norm"):
            self._check(name, 0 <= getattr(self, name) < math.inf, "a number, 0 or more")
        self._check("momentum", 0 <= self.momentum < 1, "0 to below 1")
        self._check("hardest", 0 < self.hardest <= 1, "above 0, up to 1")
        self._check("mastered", 0 < self.mastered < 1, "between 0 and 1")
        for name, known in (("passes", PASSES), ("optimiser", OPTIMISERS), ("precision", PRECISIONS)):
            self._check(name, getattr(self, name) in known, f"one of {', '.join(known)}")

    def _check(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise InvalidInput(name, getattr(self, name), allowed)
