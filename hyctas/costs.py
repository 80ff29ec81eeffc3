"""What a graph costs: multiply-accumulates, parameters, bytes moved, peak activation memory."""

from __future__ import annotations

from dataclasses import dataclass

from hyctas.graph import ITEM_BYTES, Graph, Node, Value
from hyctas.primitives import primitive


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one run of a graph.

    Attributes:
        macs: Multiply-accumulates of convolutions and matrix products.
        conv_macs: Those of convolutions alone.
        parameters: Trainable parameters (running statistics not counted).
        bytes_moved: Bytes that all nodes read (inputs, parameters) and write.
        peak_activation_bytes: Largest sum of live tensors in node order, nothing done in place.
    """

    macs: int
    conv_macs: int
    parameters: int
    bytes_moved: int
    peak_activation_bytes: int


def costs(graph: Graph) -> Costs:
    """Costs of `graph`."""
    macs = {node.name: node_macs(graph, node) for node in graph.nodes}
    return Costs(
        macs=sum(macs.values()),
        conv_macs=sum(macs[node.name] for node in graph.nodes if node.op == "conv"),
        parameters=sum(parameter.elements for parameter in graph.parameters if parameter.trainable),
        bytes_moved=sum(node_bytes(graph, node) for node in graph.nodes),
        peak_activation_bytes=peak_activation_bytes(graph),
    )


def node_macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of one node."""
    return primitive(node.op).macs(_inputs(graph, node), dict(node.attributes), node.output.shape)


def node_bytes(graph: Graph, node: Node) -> int:
    """Bytes that one node reads and writes, its parameters included; a reshape moves none."""
    if node.op == "reshape":
        return 0
    activations = sum(value.size_bytes for value in _inputs(graph, node)) + node.output.size_bytes
    return activations + sum(parameter.elements * ITEM_BYTES["float32"] for parameter in node.parameters)


def peak_activation_bytes(graph: Graph) -> int:
    """Largest sum of live tensors while the nodes run in order.

    A tensor lives from the node that writes it (an input: from the start) to the last node that reads it (an
    output: to the end). A node's inputs and its output live together.
    """
    last_use = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    last_use.update((name, len(graph.nodes)) for name in graph.outputs)
    live = sum(value.size_bytes for value in graph.inputs)
    peak = live
    for index, node in enumerate(graph.nodes):
        live += node.output.size_bytes
        peak = max(peak, live)
        ending = {name for name in node.inputs if last_use[name] == index}
        live -= sum(graph.values[name].size_bytes for name in ending)
    return peak


def _inputs(graph: Graph, node: Node) -> list[Value]:
    values = graph.values
    return [values[name] for name in node.inputs]
