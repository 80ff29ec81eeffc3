"""How networks are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from hyctas.errors import InvalidInput

Passes = Literal["single", "sandwich"]
Optimiser = Literal["sgd", "adamw"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

PASSES: Final[tuple[Passes, ...]] = get_args(Passes)
OPTIMISERS: Final[tuple[Optimiser, ...]] = get_args(Optimiser)
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


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
        for name in ("steps", "accumulation", "checkpoint_every"):
            _least(name, getattr(self, name), 1)
        _least("batch_size", self.batch_size, 2)
        for name in ("warmup_steps", "seed"):
            _least(name, getattr(self, name), 0)
        for name in ("height", "width"):
            side = getattr(self, name)
            if side < 32 or side % 32:
                raise InvalidInput(name, side, "a multiple of 32")
        if not self.learning_rate > 0:
            raise InvalidInput("learning_rate", self.learning_rate, "above 0")
        for name in ("weight_decay", "auxiliary", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(name, getattr(self, name), "0 or more")
        if not 0 <= self.momentum < 1:
            raise InvalidInput("momentum", self.momentum, "0 to below 1")
        if not 0 < self.hardest <= 1:
            raise InvalidInput("hardest", self.hardest, "above 0, up to 1")
        if not 0 < self.mastered < 1:
            raise InvalidInput("mastered", self.mastered, "between 0 and 1")
        for name, known in (("passes", PASSES), ("optimiser", OPTIMISERS), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InvalidInput(name, getattr(self, name), f"one of {', '.join(known)}")


def _least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidInput(name, value, f"at least {least}")
