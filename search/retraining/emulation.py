"""Running a network as if its numbers were stored in another format.

Only what storing costs is imitated: everything is computed in float32, and weights and activations are rounded to
what the format holds, where a runtime would store them. Sums are taken in float32 too, as GPUs do; the order of a
runtime's sums and its choice of kernels are not imitated. So these are estimates of a deployed network's mIoU, good for
telling whether a precision costs anything, and they are labelled as emulated.

Batch norms are folded into convolutions in float32 before anything is rounded, which is how networks are deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

import torch
from torch import Tensor

from hyctas.folding import fold
from hyctas.graph import Graph, Node
from hyctas.torch_form import GraphModule, run_node, to_numpy

TF32_DROPPED_BITS: Final = 13
"""Of the 23 bits of a float32's fraction; TensorFloat-32 keeps 10."""
PRODUCTS: Final = ("conv", "matmul")


class NumberFormat(Protocol):
    """How numbers are stored; each method gives back the tensor as the format holds it."""

    def parameter(self, node: Node, position: int, tensor: Tensor) -> Tensor:
        """A parameter of `node`, by its position among them."""
        ...

    def read(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        """The value `name` as `node` reads it."""
        ...

    def written(self, node: Node, tensor: Tensor) -> Tensor:
        """The output of `node`."""
        ...


class Stored:
    """Weights and activations in a half-precision floating-point format.

    Args:
        dtype: Such as ``torch.float16``.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def parameter(self, node: Node, position: int, tensor: Tensor) -> Tensor:
        """Rounded; what is beyond the format's range becomes infinite."""
        return self._rounded(tensor)

    def read(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        """As it was written; images are rounded here."""
        return self._rounded(tensor)

    def written(self, node: Node, tensor: Tensor) -> Tensor:
        """Rounded. Softmax and pooling so compute in float32, as they should."""
        return tensor if node.op == "argmax" else self._rounded(tensor)

    def _rounded(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._dtype).to(torch.float32)


class TensorFloat32:
    """What products read has a fraction of 10 bits; everything is stored in float32."""

    def parameter(self, node: Node, position: int, tensor: Tensor) -> Tensor:
        """Weights are rounded, biases are not."""
        return shortened(tensor) if node.op in PRODUCTS and position == 0 else tensor

    def read(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        """Operands of convolutions and matrix products are rounded."""
        return shortened(tensor) if node.op in PRODUCTS else tensor

    def written(self, node: Node, tensor: Tensor) -> Tensor:
        """As computed."""
        return tensor


HALF_FORMATS: Final[Mapping[str, NumberFormat]] = MappingProxyType(
    {"fp16": Stored(torch.float16), "bf16": Stored(torch.bfloat16), "tf32": TensorFloat32()}
)
"""Formats that need nothing but the network, by the name that a target gives them."""


def shortened(tensor: Tensor) -> Tensor:
    """Float32 rounded to the nearest number whose fraction has 10 bits, halves away from zero."""
    half = 1 << (TF32_DROPPED_BITS - 1)
    bits = (tensor.contiguous().view(torch.int32) + half) & -(1 << TF32_DROPPED_BITS)
    return torch.where(torch.isfinite(tensor), bits.view(torch.float32), tensor)


class Emulated:
    """A network whose numbers are stored in another format; call it with images.

    Args:
        module: The trained network, in float32.
        numbers: The format.
    """

    def __init__(self, module: GraphModule, numbers: NumberFormat) -> None:
        self.graph, parameters = folded(module)
        self._numbers = numbers
        self._tensors = {
            node.name: tuple(
                numbers.parameter(node, position, parameters[parameter.name])
                for position, parameter in enumerate(node.parameters)
            )
            for node in self.graph.nodes
        }
        self._last_reader = {name: node.name for node in self.graph.nodes for name in node.inputs}

    def __call__(self, images: Tensor) -> Tensor:
        """The output of the network, in float32."""
        values = {self.graph.inputs[0].name: images}
        for node in self.graph.nodes:
            operands = [self._numbers.read(node, name, values[name]) for name in node.inputs]
            values[node.output.name] = self._numbers.written(node, run_node(node, operands, self._tensors[node.name]))
            for name in set(node.inputs) - set(self.graph.outputs):
                if self._last_reader[name] == node.name:
                    del values[name]
        return values[self.graph.outputs[0]]


def folded(module: GraphModule) -> tuple[Graph, dict[str, Tensor]]:
    """The graph of a network with its batch norms folded, and its parameters as float32 tensors."""
    graph, arrays = fold(module.graph, to_numpy(module))
    return graph, {name: torch.from_numpy(array) for name, array in arrays.items()}
