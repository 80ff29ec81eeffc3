"""Emulated int8: which tensors are quantised, and with which scales.

Weights are symmetric with a scale for each output channel; activations are symmetric with zero point 0 and one scale
for each value, which comes from the largest absolute value on a few training images. Quantised are the inputs of
convolutions, both inputs of additions, and the inputs of a concatenation with one scale for all. Biases and attention
stay in float32. That is what TensorRT's explicit quantisation takes; other runtimes place it somewhat differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from hyctas.graph import Node
from hyctas.torch_form import GraphModule
from search.batches import Batch
from search.retraining.emulation import Emulated

LEVELS = 127
"""Largest integer; -128 is not used, so that zero is in the middle."""
QUANTISED = ("conv", "add", "concat")
ATTENTION = ".attention."
"""Part of the names of all nodes that attend."""


class Int8:
    """Quantised weights and activations.

    Args:
        largest: Largest absolute value of each value of the folded graph, by name.
    """

    def __init__(self, largest: Mapping[str, float]) -> None:
        self._largest = largest

    def parameter(self, node: Node, position: int, tensor: Tensor) -> Tensor:
        """Weights of convolutions are quantised by output channel."""
        if node.op != "conv" or position or not quantised(node):
            return tensor
        return rounded_to_levels(tensor, tensor.abs().amax((1, 2, 3), keepdim=True))

    def read(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        """What a quantised node reads is quantised; a concatenation reads everything with the scale of its output."""
        if not quantised(node):
            return tensor
        scaled_as = node.output.name if node.op == "concat" else name
        return rounded_to_levels(tensor, torch.tensor(self._largest[scaled_as]))

    def written(self, node: Node, tensor: Tensor) -> Tensor:
        """As computed: an output is quantised where it is read, after whatever is fused to it."""
        return tensor


class _Ranges:
    """Leaves everything as it is, and notes the largest absolute value of each value."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}

    def parameter(self, node: Node, position: int, tensor: Tensor) -> Tensor:
        return tensor

    def read(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        self._note(name, tensor)
        return tensor

    def written(self, node: Node, tensor: Tensor) -> Tensor:
        self._note(node.output.name, tensor)
        return tensor

    def _note(self, name: str, tensor: Tensor) -> None:
        self.largest[name] = max(self.largest.get(name, 0.0), float(tensor.abs().max()))


def calibrated_int8(module: GraphModule, batches: Iterable[Batch]) -> Int8:
    """Int8 for a network, with the ranges that its values have on `batches`."""
    ranges = _Ranges()
    network = Emulated(module, ranges)
    with torch.inference_mode():
        for batch in batches:
            network(batch.images)
    return Int8(ranges.largest)


def quantised(node: Node) -> bool:
    """Whether a node computes on integers."""
    return node.op in QUANTISED and ATTENTION not in node.name


def rounded_to_levels(tensor: Tensor, largest: Tensor) -> Tensor:
    """The nearest of the evenly spaced levels from -`largest` to `largest`; what is beyond them is cut off.

    Where `largest` is 0, so is the result.
    """
    scale = (largest / LEVELS).clamp_min(torch.finfo(torch.float32).tiny)
    return (tensor / scale).round().clamp(-LEVELS, LEVELS) * scale
