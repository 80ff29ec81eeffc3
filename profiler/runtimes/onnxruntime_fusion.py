"""Which nodes of a model each node of ONNX Runtime's optimised model computes.

ONNX Runtime writes the optimised model, but not what became of which node. What a node computes follows from the values
that it reads and writes: everything between them. Most values keep their names. In the blocked layout (NCHWc) they lose
them; there the value follows from the name of the node (the value that it wrote before, and ``_nchwc``), from what was
fused into it after that (a sum, an activation), or from the node that turns it back into the plain layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import onnx

BLOCKED_SUFFIX: Final = "_nchwc"
LAYOUT_CHANGES: Final = frozenset({"ReorderInput", "ReorderOutput"})
_SUM_INPUT: Final = 3
"""Position of the value that a fused convolution adds to its result."""


def fused_nodes(original: onnx.GraphProto, optimised: onnx.GraphProto) -> Mapping[str, tuple[str, ...]]:
    """Names of the nodes of `original` that each node of `optimised` computes, by its name, in their order.

    Every node of `original` belongs to exactly one layer, but for those that were computed when the session was opened;
    a change of layout computes none.
    """
    return _Fusion(original, optimised).find()


class _Fusion:
    def __init__(self, original: onnx.GraphProto, optimised: onnx.GraphProto) -> None:
        self._nodes = list(original.node)
        self._layers = list(optimised.node)
        self._producers = {value: node for node in self._nodes for value in node.output}
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in self._nodes:
            for value in node.input:
                self._consumers.setdefault(value, []).append(node)
        self._meaning = {value.name: value.name for value in original.input} | {v: v for v in self._producers}
        self._layer_of: dict[str, int] = {}
        """Position of the layer that computes a node."""

    def find(self) -> Mapping[str, tuple[str, ...]]:
        self._read_plain_values()
        for position, layer in enumerate(self._layers):
            self._claim(position, layer)
        self._claim_leftovers()
        found: dict[str, list[str]] = {layer.name: [] for layer in self._layers}
        for node in self._nodes:
            if node.name in self._layer_of:
                found[self._layers[self._layer_of[node.name]].name].append(node.name)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def _read_plain_values(self) -> None:
        """A blocked value that is turned back into a plain one means that."""
        for layer in self._layers:
            if layer.op_type == "ReorderOutput" and layer.output[0] in self._producers:
                self._meaning[layer.input[0]] = layer.output[0]

    def _claim(self, position: int, layer: onnx.NodeProto) -> None:
        """Give a layer all nodes between what it reads and what it writes that no layer before it has."""
        if layer.op_type in LAYOUT_CHANGES:
            if (known := self._meaning.get(layer.input[0])) is not None:
                self._meaning.setdefault(layer.output[0], known)
            return
        read = {self._meaning.get(value, value) for value in layer.input}
        for written in self._written(layer):
            for node in self._back_from(written, read):
                self._layer_of[node.name] = position

    def _written(self, layer: onnx.NodeProto) -> Iterator[str]:
        """The values of the original model that a layer writes, as far as they are known."""
        for value in layer.output:
            if value not in self._meaning and layer.name.endswith(BLOCKED_SUFFIX):
                base = layer.name.removesuffix(BLOCKED_SUFFIX)
                if base in self._producers:
                    self._meaning[value] = self._with_fused(base, layer)
            if value in self._meaning:
                yield self._meaning[value]

    def _with_fused(self, value: str, layer: onnx.NodeProto) -> str:
        """What a convolution writes that wrote `value` before a sum and an activation were fused into it."""
        if len(layer.input) > _SUM_INPUT and self._producers[value].op_type == "Conv":
            value = self._next(value, "Add") or value
        activation = next((a.s.decode() for a in layer.attribute if a.name == "activation"), "")
        if activation and self._producers[value].op_type != activation:
            value = self._next(value, activation) or value
        return value

    def _next(self, value: str, op_type: str) -> str | None:
        """What a node of that type makes of `value`."""
        return next((node.output[0] for node in self._consumers.get(value, ()) if node.op_type == op_type), None)

    def _back_from(self, value: str, read: set[str]) -> Iterator[onnx.NodeProto]:
        """Nodes that compute `value` from the values `read`, without those that other layers compute."""
        waiting, seen = [value], set(read)
        while waiting:
            current = waiting.pop()
            node = self._producers.get(current)
            if current in seen or node is None or node.name in self._layer_of:
                continue
            seen.add(current)
            yield node
            waiting.extend(node.input)

    def _claim_leftovers(self) -> None:
        """A node still without a layer was fused into the last one that it reads from, or else that reads it."""
        for node in self._nodes:
            if node.name not in self._layer_of and (sources := self._layers_of(self._sources(node))):
                self._layer_of[node.name] = max(sources)
        for node in reversed(self._nodes):
            if node.name not in self._layer_of and (readers := self._layers_of(self._readers(node))):
                self._layer_of[node.name] = min(readers)

    def _sources(self, node: onnx.NodeProto) -> Sequence[onnx.NodeProto]:
        return [self._producers[value] for value in node.input if value in self._producers]

    def _readers(self, node: onnx.NodeProto) -> Sequence[onnx.NodeProto]:
        return [reader for value in node.output for reader in self._consumers.get(value, ())]

    def _layers_of(self, nodes: Sequence[onnx.NodeProto]) -> list[int]:
        return [self._layer_of[node.name] for node in nodes if node.name in self._layer_of]
