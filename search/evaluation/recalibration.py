"""Batch-norm statistics of a network whose weights came from elsewhere.

The statistics that a supernet would collect are those of all its networks at once, and useless to any one of them: mIoU
falls from a third to a tenth. A few batches give a network its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hyctas.errors import InvalidInput
from hyctas.torch_form import MOMENTUM, GraphModule
from search.batches import Batch


def recalibrate(module: GraphModule, batches: Sequence[Batch]) -> None:
    """Replace mean and variance of every batch norm by their average over `batches`; leaves the module in eval mode.

    Args:
        module: The network.
        batches: Fixed ones, of at least two images each: where a map is a single pixel (in squeeze-excitation) one
            image has no variance.

    Raises:
        InvalidInput: There is no batch, or one holds a single image.
    """
    smallest = min((len(batch.images) for batch in batches), default=0)
    if smallest < 2:
        raise InvalidInput("batches", [len(batch.images) for batch in batches], "one or more of at least 2 images")
    device = next(module.parameters()).device
    statistics = _statistics(module)
    sums = [torch.zeros_like(tensor, dtype=torch.float64) for tensor in statistics]
    module.train()
    with torch.no_grad():
        for batch in batches:
            for tensor in statistics:
                tensor.zero_()
            module(batch.images.to(device))
            for total, tensor in zip(sums, statistics, strict=True):
                total += tensor
        for total, tensor in zip(sums, statistics, strict=True):
            tensor.copy_(total / (MOMENTUM * len(batches)))
    module.eval()


def _statistics(module: GraphModule) -> list[Tensor]:
    """Mean and variance of every batch norm; a step in training adds a share of the batch's own to them."""
    return [module.get_buffer(p.name) for p in module.graph.parameters if p.role in ("mean", "variance")]
