"""Processes that train together: each has a rank, a device and its own share of the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Rank:
    """One process of those that train together.

    Attributes:
        device: Where it computes.
        number: Its rank, from 0.
        world: How many there are.
        loaders: Processes that prepare its batches; 0 prepares them in this one.
    """

    device: torch.device
    number: int = 0
    world: int = 1
    loaders: int = 0

    @property
    def leads(self) -> bool:
        """Whether it writes checkpoint and log."""
        return self.number == 0

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module as it is to be called, so that gradients are averaged over all processes.

        Each step uses other parameters than the one before, so those without a gradient are looked for. A pass must
        use all outputs in its loss. Every pass averages: where passes of a step run different networks, averaging
        after the last alone would leave out what only the others used.
        """
        return module if self.world == 1 else DistributedDataParallel(module, find_unused_parameters=True)


def alone(device: str | None = None) -> Rank:
    """The only process; on the first GPU if there is one, unless told otherwise."""
    name = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    return Rank(torch.device(name))
