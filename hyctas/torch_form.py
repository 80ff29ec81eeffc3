"""The torch module of a graph: an interpreter of its nodes.

:class:`GraphModule` owns its parameters. Whoever keeps them elsewhere (a supernet that runs an architecture on slices
of larger tensors) calls :func:`run_node` with tensors of its choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyctas.errors import GraphError, UnsupportedNode
from hyctas.graph import Graph, Node, Parameter
from hyctas.weights import Array, check_weights, initial_weights

MOMENTUM: Final = 0.1
"""Share of the newest batch in the running statistics of a batch norm."""


class GraphModule(nn.Module):  # type: ignore[misc]
    """A graph with parameters of its own.

    Parameters and running statistics have the names that they have in the graph, in ``state_dict`` too. The map size
    is the one that the graph was built for; the batch may be of another size.

    Args:
        graph: What to compute.
        weights: A float32 array for each parameter, copied; those of an untrained network unless given.

    Raises:
        UnsupportedNode: A primitive has no torch form.
        GraphError: A parameter has no array, or one of another shape.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, Array] | None = None) -> None:
        super().__init__()
        self.graph = graph
        for node in graph.nodes:
            _function(node)
            for parameter in node.parameters:
                register(self, parameter)
        self._steps = tuple(_steps(self, graph))
        load_numpy(self, initial_weights(graph, seed=0) if weights is None else weights)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The output of the graph, or a tuple if it has several.

        Raises:
            GraphError: The number of inputs is not that of the graph.
        """
        if len(inputs) != len(self.graph.inputs):
            raise GraphError(f"{self.graph.name} takes {len(self.graph.inputs)} inputs, not {len(inputs)}")
        values = {value.name: tensor for value, tensor in zip(self.graph.inputs, inputs, strict=True)}
        for step in self._steps:
            operands = [values[name] for name in step.node.inputs]
            values[step.node.output.name] = run_node(step.node, operands, step.tensors(), training=self.training)
            for name in step.finished:
                del values[name]
        outputs = tuple(values[name] for name in self.graph.outputs)
        return outputs if len(outputs) > 1 else outputs[0]


def load_numpy(module: GraphModule, weights: Mapping[str, Array]) -> None:
    """Copy an array into each parameter and running statistic of `module`.

    Raises:
        GraphError: A parameter has no array, or one of another shape.
    """
    check_weights(module.graph, weights)
    state = module.state_dict()
    for parameter in module.graph.parameters:
        state[parameter.name].copy_(torch.tensor(weights[parameter.name]))


def to_numpy(module: GraphModule) -> dict[str, Array]:
    """A copy of each parameter and running statistic of `module` as float32, by its name in the graph."""
    state = module.state_dict()
    return {
        parameter.name: state[parameter.name].to("cpu", torch.float32, copy=True).numpy()
        for parameter in module.graph.parameters
    }


def run_node(
    node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None] = (), *, training: bool = False
) -> Tensor:
    """The output of one node.

    Args:
        node: What to compute.
        inputs: The values that it reads.
        tensors: Its parameters, in the order of ``node.parameters``. In training, a batch norm updates mean and
            variance in place; where both are None it leaves no trace.
        training: Whether a batch norm normalises by the batch instead of by mean and variance.

    Raises:
        UnsupportedNode: The primitive has no torch form.
    """
    return _function(node)(node, inputs, tensors, training)


@dataclass(frozen=True)
class _Step:
    """One node to run, the module that holds its tensors as `leaves`, and the values that nobody reads later."""

    node: Node
    holder: nn.Module
    leaves: tuple[str, ...]
    finished: tuple[str, ...]

    def tensors(self) -> list[Tensor]:
        return [getattr(self.holder, leaf) for leaf in self.leaves]


def register(root: nn.Module, parameter: Parameter) -> None:
    """Make room for `parameter` in the submodule of `root` that its name says; it is not initialised."""
    *path, leaf = parameter.name.split(".")
    holder = root
    for name in path:
        if name not in dict(holder.named_children()):
            holder.add_module(name, nn.Module())
        holder = holder.get_submodule(name)
    tensor = torch.empty(parameter.shape)
    if parameter.trainable:
        holder.register_parameter(leaf, nn.Parameter(tensor))
    else:
        holder.register_buffer(leaf, tensor)


def _steps(root: nn.Module, graph: Graph) -> Iterator[_Step]:
    """The nodes as steps; a value is let go after its last reader, to hold no more memory than needed."""
    last_reader = {name: node.name for node in graph.nodes for name in node.inputs}
    for node in graph.nodes:
        names = [parameter.name.rpartition(".") for parameter in node.parameters]
        holder = root.get_submodule(names[0][0]) if names else root
        finished = tuple(
            name for name in dict.fromkeys(node.inputs) if last_reader[name] == node.name and name not in graph.outputs
        )
        yield _Step(node, holder, tuple(leaf for _, _, leaf in names), finished)


NodeFunction = Callable[[Node, Sequence[Tensor], Sequence[Tensor | None], bool], Tensor]
"""Node, inputs, parameters, whether in training; gives the output."""


def _function(node: Node) -> NodeFunction:
    try:
        return _FUNCTIONS[node.op]
    except KeyError:
        known = ", ".join(_FUNCTIONS)
        raise UnsupportedNode(f"node {node.name}: primitive {node.op!r} has no torch form; known: {known}") from None


def _conv(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    stride, padding, groups = (node.integer(name) for name in ("stride", "padding", "groups"))
    return functional.conv2d(inputs[0], *tensors, stride=stride, padding=padding, groups=groups)


def _batch_norm(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    gamma, beta, mean, variance = tensors
    return functional.batch_norm(inputs[0], mean, variance, gamma, beta, training, MOMENTUM, node.number("epsilon"))


def _resize(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    aligned = node.has("align_corners")
    return functional.interpolate(inputs[0], node.integers("size"), mode="bilinear", align_corners=aligned)


def _average_pool(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    factor = node.integer("factor")
    return functional.avg_pool2d(inputs[0], factor, factor, ceil_mode=True, count_include_pad=False)


def _matmul(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    left = inputs[0].mT if node.integer("transpose_left") else inputs[0]
    right = inputs[1].mT if node.integer("transpose_right") else inputs[1]
    return left @ right


def _reshape(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    """The first size is left open, for batches of another size than the graph says."""
    return inputs[0].reshape(-1, *node.integers("shape")[1:])


def _crop(node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor | None], training: bool) -> Tensor:
    return inputs[0][:, :, node.integer("top") :, node.integer("left") :]


_FUNCTIONS: Final[Mapping[str, NodeFunction]] = MappingProxyType(
    {
        "conv": _conv,
        "batch_norm": _batch_norm,
        "relu": lambda node, inputs, tensors, training: functional.relu(inputs[0]),
        "sigmoid": lambda node, inputs, tensors, training: torch.sigmoid(inputs[0]),
        "identity": lambda node, inputs, tensors, training: inputs[0],
        "resize": _resize,
        "average_pool": _average_pool,
        "global_average_pool": lambda node, inputs, tensors, training: inputs[0].mean((2, 3), keepdim=True),
        "concat": lambda node, inputs, tensors, training: torch.cat(tuple(inputs), 1),
        "add": lambda node, inputs, tensors, training: inputs[0] + inputs[1],
        "multiply": lambda node, inputs, tensors, training: inputs[0] * inputs[1],
        "scale": lambda node, inputs, tensors, training: inputs[0] * node.number("factor"),
        "gate": lambda node, inputs, tensors, training: inputs[0] * tensors[0],
        "matmul": _matmul,
        "transpose": lambda node, inputs, tensors, training: inputs[0].permute(node.integers("permutation")),
        "reshape": _reshape,
        "softmax": lambda node, inputs, tensors, training: functional.softmax(inputs[0], -1),
        "crop": _crop,
        "argmax": lambda node, inputs, tensors, training: inputs[0].argmax(1, keepdim=True),
    }
)
