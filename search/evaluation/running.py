"""Statistics that all networks of a supernet share: what recalibration is compared with.

Had the supernet kept running statistics while it trained, each parameter slot would hold an exponential average over
whatever networks passed through it. :func:`running_statistics` takes such an average after training.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor

from hyctas.architecture import Architecture
from hyctas.torch_form import MOMENTUM, GraphModule
from search.batches import Batch
from search.evaluation.recalibration import batch_statistics, statistics
from search.supernet.deriving import derive
from search.supernet.supernet import Supernet

INITIAL: Final = {"mean": 0.0, "variance": 1.0}


class RunningStatistics:
    """Mean and variance of every channel of every batch norm of a supernet, in shared slots.

    Args:
        supernet: Whose slots they are.
    """

    def __init__(self, supernet: Supernet) -> None:
        self._places = Supernet(supernet.space, supernet.settings, seed=0)
        count = _number_channels(self._places)
        self._values = {role: torch.full((count,), initial) for role, initial in INITIAL.items()}

    def add(self, module: GraphModule, architecture: Architecture, images: Tensor) -> None:
        """Move the slots that `architecture` uses towards what it sees on one batch.

        Args:
            module: The network, in inference form.
            architecture: Which one it is.
            images: (batch, 3, height, width) of its size.
        """
        places = self._places_of(architecture)
        for name, seen in batch_statistics(module, images).items():
            norm, _, role = name.rpartition(".")
            values, index = self._values[role], places[norm]
            values[index] += MOMENTUM * (seen.cpu() - values[index])

    def apply(self, module: GraphModule, architecture: Architecture) -> None:
        """Give a network the statistics of its slots; leaves it in eval mode."""
        places = self._places_of(architecture)
        for name, own in statistics(module).items():
            norm, _, role = name.rpartition(".")
            own.copy_(self._values[role][places[norm]])
        module.eval()

    def _places_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """For each batch norm of a network, the places of its channels."""
        with torch.no_grad():
            slices = self._places.slices(architecture)
        norms = {name.removesuffix(".gamma"): tensor for name, tensor in slices.items() if name.endswith(".gamma")}
        return {norm: tensor.long() for norm, tensor in norms.items()}


def running_statistics(
    supernet: Supernet, networks: Iterable[Architecture], batches: Iterable[Batch]
) -> RunningStatistics:
    """Statistics over networks of a supernet, the `n`-th on the `n`-th batch; the last ones weigh most.

    Args:
        supernet: Trained parameters.
        networks: Drawn as in its training, at the size of the batches.
        batches: Of at least two images each.
    """
    found = RunningStatistics(supernet)
    for architecture, batch in zip(networks, batches, strict=False):
        found.add(derive(supernet, architecture), architecture, batch.images)
    return found


def _number_channels(supernet: Supernet) -> int:
    """Overwrite the scale factors of all batch norms by numbers from 0 on, and say how many there are.

    float32 holds each integer up to 2^24 exactly, a hundred times the channels of the largest supernet in use.
    """
    count = 0
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if name.endswith(".gamma"):
                parameter.copy_(torch.arange(count, count + len(parameter)))
                count += len(parameter)
    return count
