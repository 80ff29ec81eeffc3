"""What turns gradients into updates."""

from __future__ import annotations

import torch
from torch import nn

from search.training.settings import TrainingSettings


def optimiser_of(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser of a module's parameters; weights decay, biases, batch norms and gates do not.

    A parameter without a gradient stays as it is, in its moments too: of a supernet, all that a step's networks do not
    use. Of a parameter that they use a slice of, the rest decays and follows its momentum.
    """
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let the next update use `rate`."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip_gradients(module: nn.Module, longest: float) -> float:
    """The length of the gradient over all parameters, which is brought down to `longest`; 0 leaves it."""
    if longest:
        return float(nn.utils.clip_grad_norm_(module.parameters(), longest))
    lengths = [torch.linalg.vector_norm(p.grad) for p in module.parameters() if p.grad is not None]
    return float(torch.linalg.vector_norm(torch.stack(lengths)))
