"""A network in an arithmetic of choice: the float32 interpreter with a say at every node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from hyctas.folding import fold
from hyctas.graph import Graph, Node
from hyctas.torch_form import GraphModule, run_node, to_numpy
from search.evaluation.layout import memory_format


class Arithmetic(Protocol):
    """How a node is computed."""

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """The output of `node`, from the values that it reads and its parameters, all float32."""


class FoldedNetwork:
    """A trained network as runtimes execute it: batch norms folded, in float32, into the convolutions before them.

    Args:
        module: The network, in inference form.
    """

    def __init__(self, module: GraphModule) -> None:
        self.graph: Graph
        self.graph, weights = fold(module.graph, to_numpy(module))
        self._device = next(module.parameters()).device
        self._tensors: Mapping[str, Tensor] = {
            name: torch.from_numpy(array).to(self._device) for name, array in weights.items()
        }

    def predict(self, images: Tensor, arithmetic: Arithmetic) -> Tensor:
        """What the network makes of `images` in an arithmetic."""
        layout = memory_format(self._device)
        values = {self.graph.inputs[0].name: images.to(self._device, memory_format=layout)}
        readers = Counter(self.graph.consumers())
        for node in self.graph.nodes:
            inputs = [values[name] for name in node.inputs]
            tensors = [self._tensors[parameter.name] for parameter in node.parameters]
            values[node.output.name] = arithmetic.run(node, inputs, tensors)
            readers.subtract(node.inputs)
            for name in set(node.inputs):
                if not readers[name]:
                    del values[name]
        return values[self.graph.outputs[0]]


class Fp32:
    """Nothing is changed."""

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """See :class:`Arithmetic`."""
        return run_node(node, inputs, tensors)
