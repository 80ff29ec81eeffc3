"""The graph language: what a network computes, as a list of primitive nodes with shapes and named parameters.

A candidate operator is written once, as a function that appends nodes to a
:class:`~hyctas.builder.GraphBuilder`. The ONNX
model, the torch module, costs, the workload key and the predictor's features all come from that one graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from hyctas.errors import GraphError

AttributeValue = int | float | str | tuple[int, ...]
Role = Literal["weight", "bias", "gamma", "beta", "mean", "variance", "gate"]

ITEM_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1, "int32": 4, "int64": 8}
)


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows between nodes.

    Attributes:
        name: Unique in its graph.
        shape: Static shape, batch first, then channels.
        dtype: A key of :data:`ITEM_BYTES`.
        layout: Lengths of the chunks that the channels were concatenated from; they sum to the channels. A
            supernet slices the weights that read this value chunk by chunk, since after a concatenation the
            active channels are not a leading slice.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    layout: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Size of the second dimension."""
        return self.shape[1]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return self.elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named tensor that belongs to one node.

    Attributes:
        name: Unique in its graph, such as ``branches[0].cells[2].conv.weight``.
        shape: Its shape.
        role: What it is to the node; decides how it is initialised.
        trainable: False for the running statistics of a batch norm.
    """

    name: str
    shape: tuple[int, ...]
    role: Role

    @property
    def trainable(self) -> bool:
        """Whether it counts as a parameter of the network."""
        return self.role not in ("mean", "variance")

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Node:
    """One primitive operation.

    Attributes:
        op: Name of a primitive; see :mod:`hyctas.primitives`.
        name: Unique in its graph.
        inputs: Names of the values it reads.
        output: The value it writes.
        attributes: Sorted pairs of name and value.
        parameters: Its own tensors, in the order that the primitive defines.
        place: The part of the network that it belongs to, such as ``stem`` or ``branches[0].cells[2]``.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: Value
    attributes: tuple[tuple[str, AttributeValue], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    place: str = ""

    def attribute(self, name: str) -> AttributeValue:
        """The value of an attribute.

        Raises:
            GraphError: The node has no such attribute.
        """
        for key, value in self.attributes:
            if key == name:
                return value
        raise GraphError(f"node {self.name} ({self.op}) has no attribute {name!r}; it has {dict(self.attributes)}")

    def has(self, name: str) -> bool:
        """Whether the node has an attribute of that name."""
        return any(key == name for key, _ in self.attributes)

    def integer(self, name: str) -> int:
        """An attribute that is an integer."""
        value = self.attribute(name)
        if not isinstance(value, int):
            raise GraphError(f"attribute {name!r} of node {self.name} is {value!r}, not an integer")
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """An attribute that is a tuple of integers."""
        value = self.attribute(name)
        if not isinstance(value, tuple):
            raise GraphError(f"attribute {name!r} of node {self.name} is {value!r}, not a tuple of integers")
        return value

    def number(self, name: str) -> float:
        """An attribute that is a number."""
        value = self.attribute(name)
        if not isinstance(value, int | float):
            raise GraphError(f"attribute {name!r} of node {self.name} is {value!r}, not a number")
        return float(value)


@dataclass(frozen=True)
class Graph:
    """A network or an operator: nodes in execution order.

    Attributes:
        name: For people; not part of the workload key.
        inputs: The values fed from outside.
        nodes: In an order that computes every value before it is read.
        outputs: Names of the results.
    """

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """Every value by its name."""
        known = {value.name: value for value in self.inputs}
        known.update((node.output.name, node.output) for node in self.nodes)
        return MappingProxyType(known)

    @property
    def parameters(self) -> Iterator[Parameter]:
        """All parameters, in node order."""
        return (parameter for node in self.nodes for parameter in node.parameters)

    def consumers(self) -> Mapping[str, int]:
        """How many times each value is read, as an input of a node or as an output of the graph."""
        counts = dict.fromkeys(self.values, 0)
        for node in self.nodes:
            for name in node.inputs:
                counts[name] += 1
        for name in self.outputs:
            counts[name] += 1
        return counts
