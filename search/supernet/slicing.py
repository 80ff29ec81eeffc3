"""Which slice of a slot's parameters a part of a network uses.

Output channels are the leading ones. Input channels are those that the value which is read has in the widest network:
after a concatenation they are chunks, not a leading slice, so every value carries its :class:`Channels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from hyctas.errors import GraphError
from hyctas.graph import Graph, Node, Role
from hyctas.parts import Part
from search.supernet.slots import Template, local_name, part_graph

Chunk = tuple[int, int]
"""Start and length."""
PLANS: Final = 65536
"""Plans that are kept: one for each part, slot and origin of its inputs."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Where the channels of a value are in the value that the widest network has there.

    Attributes:
        total: Channels in the widest network.
        chunks: Start and length of runs of channels, in order.
    """

    total: int
    chunks: tuple[Chunk, ...]

    @classmethod
    def leading(cls, count: int, total: int) -> Channels:
        """The first `count` of `total` channels."""
        return cls(total, ((0, count),))

    def behind(self, skipped: int) -> Channels:
        """The same channels where `skipped` others stand in front of them."""
        return Channels(self.total + skipped, tuple((start + skipped, length) for start, length in self.chunks))


@dataclass(frozen=True, slots=True)
class Slice:
    """The slice of one parameter.

    Attributes:
        name: Its name inside the part.
        chunks: For each dimension the runs to take; dimensions behind these are taken whole.
    """

    name: str
    chunks: tuple[tuple[Chunk, ...], ...]

    def of(self, parameter: Tensor) -> Tensor:
        """Cut it out: a view, or a concatenation of views where several runs are wanted."""
        for dimension, chunks in enumerate(self.chunks):
            runs = [parameter.narrow(dimension, start, length) for start, length in chunks]
            parameter = runs[0] if len(runs) == 1 else torch.cat(runs, dimension)
        return parameter


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How a part runs on slices.

    Attributes:
        graph: Its nodes.
        slices: For each node the slices of its trainable parameters, in order.
        output: Channels of its output.
    """

    graph: Graph
    slices: tuple[tuple[Slice, ...], ...]
    output: Channels


@lru_cache(maxsize=PLANS)
def plan_part(part: Part, template: Template, inputs: tuple[Channels, ...]) -> PartPlan:
    """Work out the slices of `part` in a slot, for inputs with these channels."""
    graph = part_graph(part)
    known = {value.name: channels for value, channels in zip(graph.inputs, inputs, strict=True)}
    slices = []
    for node in graph.nodes:
        read = [known[name] for name in node.inputs]
        slices.append(tuple(_slices(node, part, read[0])))
        known[node.output.name] = _written(node, part, template, read)
    return PartPlan(graph, tuple(slices), known[graph.outputs[0]])


def _slices(node: Node, part: Part, read: Channels) -> Iterator[Slice]:
    for parameter in node.parameters:
        if parameter.trainable:
            chunks = _runs(parameter.role, parameter.shape, read)
            yield Slice(local_name(part, parameter.name), chunks)


def _runs(role: Role, shape: tuple[int, ...], read: Channels) -> tuple[tuple[Chunk, ...], ...]:
    leading = ((0, shape[0]),)
    if role == "weight":
        return (leading, read.chunks)
    return (read.chunks,) if role in ("gamma", "beta") else (leading,)


def _written(node: Node, part: Part, template: Template, read: Sequence[Channels]) -> Channels:
    """Channels of what `node` writes."""
    if node.op == "conv":
        if node.integer("groups") != 1:
            raise GraphError(f"node {node.name}: grouped convolutions cannot be sliced yet")
        total = template.parameters[local_name(part, node.parameters[0].name)].shape[0]
        return Channels.leading(node.output.channels, total)
    if node.op == "concat":
        return _joined(read)
    if node.output.layout == node.output.shape[1:2] and node.op in ("matmul", "reshape", "transpose", "argmax"):
        return Channels.leading(node.output.channels, node.output.channels)
    return read[0]


def _joined(values: Sequence[Channels]) -> Channels:
    total, chunks = 0, list[Chunk]()
    for value in values:
        chunks += value.behind(total).chunks
        total += value.total
    return Channels(total, tuple(chunks))
