"""Batch-norm statistics of a network whose weights came from elsewhere.

The statistics that a supernet would collect are those of all its networks at once, and useless to any one of them: mIoU
falls from a third to a tenth. A few batches give a network its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hyctas.errors import InvalidInput
from hyctas.torch_form import MOMENTUM, GraphModule
from search.batches import Batch
from search.evaluation.layout import memory_format


def recalibrate(module: GraphModule, batches: Sequence[Batch]) -> None:
    """Replace mean and variance of every batch norm by their average over `batches`; leaves the module in eval mode.

    Args:
        module: The network.
        batches: Fixed ones, of at least two images each: where a map is a single pixel (in squeeze-excitation) one
            image has no variance.

    Raises:
        InvalidInput: There is no batch, or one holds a single image.
    """
    _check(batches)
    sums = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in statistics(module).items()}
    for batch in batches:
        for name, tensor in batch_statistics(module, batch.images).items():
            sums[name] += tensor
    for name, tensor in statistics(module).items():
        tensor.copy_(sums[name] / len(batches))


def batch_statistics(module: GraphModule, images: Tensor) -> Mapping[str, Tensor]:
    """Mean and unbiased variance that every batch norm sees on one batch, by name; leaves the module in eval mode.

    They stand in the module's own buffers until its next batch, in float32.
    """
    found = statistics(module)
    for tensor in found.values():
        tensor.zero_()
    device = next(module.parameters()).device
    module.train()
    try:
        with torch.no_grad():
            module(images.to(device, memory_format=memory_format(device)))
    finally:
        module.eval()
    for tensor in found.values():
        tensor /= MOMENTUM
    return found


def statistics(module: GraphModule) -> Mapping[str, Tensor]:
    """Mean and variance of every batch norm, by name; they are the module's own."""
    names = (p.name for p in module.graph.parameters if not p.trainable)
    return {name: module.get_buffer(name) for name in names}


def _check(batches: Sequence[Batch]) -> None:
    smallest = min((len(batch.images) for batch in batches), default=0)
    if smallest < 2:
        sizes = [len(batch.images) for batch in batches]
        raise InvalidInput("batches", f"batches of {sizes} images", "one or more batches of at least 2 images each")
