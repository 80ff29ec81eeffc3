"""Eight-bit integers by fake quantisation: float32 that takes the values which int8 could take.

Placed and rounded by the rule of :mod:`hyctas.quantisation`, as the int8 ONNX model is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from hyctas.graph import Node
from hyctas.quantisation import LARGEST_INT8, SMALLEST_INT8, activation_steps, reads_int8, weight_steps
from hyctas.torch_form import run_node
from search.batches import Batch
from search.deployment.emulation import FoldedNetwork


class Int8:
    """Fake quantisation with fixed steps.

    Args:
        steps: The size of a step for each value that is quantised, by name.
    """

    def __init__(self, steps: Mapping[str, float]) -> None:
        self.steps = steps

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """See :class:`search.deployment.emulation.Arithmetic`."""
        if not reads_int8(node):
            return run_node(node, inputs, tensors)
        values = [_rounded(x, x.new_tensor(self.steps[name])) for x, name in zip(inputs, node.inputs, strict=True)]
        weights = [quantised_weights(x) for x in tensors[:1]]
        return run_node(node, values, [*weights, *tensors[1:]])


def calibrated(network: FoldedNetwork, batches: Iterable[Batch]) -> Int8:
    """Steps at which the largest value that occurs in `batches` still fits."""
    return Int8(activation_steps(network.graph, image_ranges(network, batches)))


def image_ranges(network: FoldedNetwork, batches: Iterable[Batch]) -> dict[str, float]:
    """The largest absolute value of each value that is quantised, over `batches`: what an int8 ONNX model asks for."""
    seen = _Largest()
    with torch.inference_mode():
        for batch in batches:
            network.predict(batch.images, seen)
    return seen.values


def quantised_weights(weights: Tensor) -> Tensor:
    """Weights of a convolution (out, in, kernel, kernel) as int8 holds them, with a step for each output channel."""
    steps = torch.from_numpy(weight_steps(weights.detach().cpu().numpy())).to(weights.device)
    return _rounded(weights, steps[:, None, None, None])


class _Largest:
    """Float32 that notes the largest absolute value of all that is going to be quantised."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        if reads_int8(node):
            for name, values in zip(node.inputs, inputs, strict=True):
                self.values[name] = max(self.values.get(name, 0.0), float(values.abs().max()))
        return run_node(node, inputs, tensors)


def _rounded(values: Tensor, steps: Tensor) -> Tensor:
    """The nearest values that int8 can take, as ``QuantizeLinear`` and ``DequantizeLinear`` give them."""
    return (values / steps).round_().clamp_(SMALLEST_INT8, LARGEST_INT8).mul_(steps)
