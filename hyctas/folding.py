"""Folding of batch norms and constant scales into the convolution before them.

What a deployed network looks like, and what every runtime would do itself where it may. Only a convolution whose
output nobody else reads is folded into; a batch norm behind anything else (the one after the attention gate, for
example) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hyctas.graph import Graph, Node, Parameter
from hyctas.weights import Array

FOLDABLE = ("batch_norm", "scale")


def fold(graph: Graph, weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """An equivalent graph with its weights, every batch norm and scale that follows a convolution gone.

    The output of a folded convolution takes the name of what it absorbed, so later nodes read it unchanged.
    """
    consumers = graph.consumers()
    folded: dict[str, Node] = {}
    arrays: dict[str, Array] = {}
    for node in graph.nodes:
        own = {parameter.name: weights[parameter.name] for parameter in node.parameters}
        source = folded.get(node.inputs[0]) if node.op in FOLDABLE else None
        if source is not None and source.op == "conv" and consumers[source.output.name] == 1:
            del folded[source.output.name]
            factor, shift = _affine(node, own)
            merged = _with_bias(source) if shift is not None else source
            arrays.update(_merged_arrays(merged, arrays, factor, shift))
            folded[node.output.name] = replace(merged, output=node.output)
        else:
            arrays.update(own)
            folded[node.output.name] = node
    return replace(graph, nodes=tuple(folded.values())), arrays


def without_statistics(graph: Graph, weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """An equivalent graph whose remaining batch norms have mean 0, variance 1 and epsilon 0: a factor and a shift.

    Those are worked out in float32, so that half precision need not hold a variance, which may be too small for it.
    """
    arrays = dict(weights)
    nodes = []
    for node in graph.nodes:
        if node.op == "batch_norm":
            gamma, beta, mean, variance = (parameter.name for parameter in node.parameters)
            arrays[gamma], arrays[beta] = _factor_and_shift(node, weights)
            arrays[mean], arrays[variance] = np.zeros_like(weights[mean]), np.ones_like(weights[variance])
            node = replace(node, attributes=(("epsilon", 0.0),))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes)), arrays


def _affine(node: Node, weights: Mapping[str, Array]) -> tuple[Array, Array | None]:
    """The factor that a batch norm or scale applies (by channel, or one for all), and the shift if it has any."""
    if node.op == "scale":
        return np.array([node.number("factor")], np.float32), None
    return _factor_and_shift(node, weights)


def _factor_and_shift(node: Node, weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """What a batch norm multiplies each channel by, and what it adds."""
    gamma, beta, mean, variance = (weights[parameter.name].astype(np.float64) for parameter in node.parameters)
    factor = gamma / np.sqrt(variance + node.number("epsilon"))
    return factor.astype(np.float32), (beta - mean * factor).astype(np.float32)


def _with_bias(conv: Node) -> Node:
    """The convolution with a bias parameter, added if it had none."""
    if len(conv.parameters) == 2:
        return conv
    bias = Parameter(f"{conv.name}.bias", (conv.output.channels,), "bias")
    attributes = tuple((name, 1 if name == "bias" else value) for name, value in conv.attributes)
    return replace(conv, attributes=attributes, parameters=(*conv.parameters, bias))


def _merged_arrays(conv: Node, arrays: Mapping[str, Array], factor: Array, shift: Array | None) -> dict[str, Array]:
    """The arrays of `conv` after the factor and the shift."""
    weight, *biases = (parameter.name for parameter in conv.parameters)
    merged: dict[str, Array] = {weight: arrays[weight] * factor[:, None, None, None]}
    for bias in biases:
        scaled = arrays[bias] * factor if bias in arrays else np.zeros(conv.output.channels, np.float32)
        merged[bias] = scaled if shift is None else scaled + shift
    return merged
