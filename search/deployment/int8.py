"""Eight-bit integers by fake quantisation: float32 that takes the values which int8 could take.

Placed as the runtimes want it: weights of convolutions per output channel, values that a convolution, a sum or a
concatenation reads per tensor (so after the ReLU where there is one), both symmetric with zero point 0; one scale for
all that goes into a concatenation. Biases and attention stay in float.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from hyctas.graph import Graph, Node
from hyctas.torch_form import run_node
from search.batches import Batch
from search.deployment.emulation import FoldedNetwork

LARGEST: Final = 127
_READS_INT8: Final = ("conv", "add", "concat")
_FLOAT_SCOPE: Final = ".attention."


class Int8:
    """Fake quantisation with fixed scales.

    Args:
        scales: The size of a step for each value that is quantised, by name.
    """

    def __init__(self, scales: Mapping[str, float]) -> None:
        self.scales = scales

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """See :class:`search.deployment.emulation.Arithmetic`."""
        if not reads_int8(node):
            return run_node(node, inputs, tensors)
        values = [_quantised(x, self.scales[name]) for x, name in zip(inputs, node.inputs, strict=True)]
        weights = [quantised_weights(x) for x in tensors[:1]]
        return run_node(node, values, [*weights, *tensors[1:]])


def calibrated(network: FoldedNetwork, batches: Iterable[Batch]) -> Int8:
    """Scales at which the largest value that occurs in `batches` still fits."""
    seen = _Largest()
    with torch.inference_mode():
        for batch in batches:
            network.predict(batch.images, seen)
    largest = {value: seen.values[value] for value in seen.values}
    for group in concatenated(network.graph):
        together = max(largest[value] for value in group if value in largest)
        largest.update((value, together) for value in group if value in largest)
    return Int8({value: (size or 1.0) / LARGEST for value, size in largest.items()})


def reads_int8(node: Node) -> bool:
    """Whether what `node` reads is quantised."""
    return node.op in _READS_INT8 and _FLOAT_SCOPE not in node.name


def quantised_weights(weights: Tensor) -> Tensor:
    """Weights of a convolution (out, in, kernel, kernel) as int8 holds them, with a scale for each output channel."""
    largest = weights.abs().amax((1, 2, 3))
    scales = torch.where(largest > 0, largest, 1.0) / LARGEST
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weights, scales, zeros, 0, -LARGEST, LARGEST)


def concatenated(graph: Graph) -> list[set[str]]:
    """Values that share a scale: what goes into a concatenation and what comes out, through chains of them."""
    groups: list[set[str]] = []
    for node in graph.nodes:
        if node.op == "concat":
            group = {*node.inputs, node.output.name}
            touching = [other for other in groups if other & group]
            groups = [other for other in groups if not other & group]
            groups.append(group.union(*touching))
    return groups


class _Largest:
    """Float32 that notes the largest absolute value of all that is going to be quantised."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        if reads_int8(node):
            for name, values in zip(node.inputs, inputs, strict=True):
                self.values[name] = max(self.values.get(name, 0.0), float(values.abs().max()))
        return run_node(node, inputs, tensors)


def _quantised(values: Tensor, scale: float) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(values, scale, 0, -LARGEST, LARGEST)
