"""Where int8 stands in a network, and at which steps: the one rule that models and their emulation share.

Values that a convolution, a sum or a concatenation reads are quantised per tensor, so after the ReLU where there is
one and on both sides of a sum; weights of convolutions per output channel. Both are symmetric with zero point 0, as
TensorRT asks. All that goes into a concatenation has one step, and so has what comes out of it, so that integers
can be concatenated as they are. Biases, attention and everything else stay in float32.

Numbers are rounded half to even and kept within int8, as ONNX ``QuantizeLinear`` does (``x / step``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import GraphError
from hyctas.graph import Graph, Node
from hyctas.weights import Array

LARGEST_INT8: Final = 127
"""The integer that the largest absolute value of a tensor, or of a channel of weights, becomes."""
SMALLEST_INT8: Final = -128
_READS_INT8: Final = ("conv", "add", "concat")
_FLOAT_SCOPE: Final = ".attention."


def reads_int8(node: Node) -> bool:
    """Whether what `node` reads is quantised."""
    return node.op in _READS_INT8 and _FLOAT_SCOPE not in node.name


def quantised_values(graph: Graph) -> tuple[str, ...]:
    """Names of the values that are quantised, in the order in which they are first read."""
    return tuple(dict.fromkeys(name for node in graph.nodes if reads_int8(node) for name in node.inputs))


def concatenated(graph: Graph) -> list[set[str]]:
    """Values that share a step: what goes into a concatenation and what comes out, through chains of them."""
    groups: list[set[str]] = []
    for node in graph.nodes:
        if node.op == "concat":
            group = {*node.inputs, node.output.name}
            touching = [other for other in groups if other & group]
            groups = [other for other in groups if not other & group]
            groups.append(group.union(*touching))
    return groups


def activation_steps(graph: Graph, ranges: Mapping[str, float]) -> dict[str, float]:
    """The step of each value that is quantised, by name; that of a value which is always 0 is arbitrary.

    Args:
        graph: The network, batch norms folded.
        ranges: The largest absolute value that occurs in each, by name, as
            :func:`hyctas.ranges.activation_ranges` finds it.

    Raises:
        GraphError: A range is missing, or no finite number from 0 up.
    """
    largest = {name: _checked_range(graph, name, ranges) for name in quantised_values(graph)}
    for group in concatenated(graph):
        shared = [name for name in group if name in largest]
        largest.update(dict.fromkeys(shared, max((largest[name] for name in shared), default=0.0)))
    return {name: (size or 1.0) / LARGEST_INT8 for name, size in largest.items()}


def weight_steps(weights: Array) -> Array:
    """The step of each output channel of a convolution's weights (out, in, kernel, kernel)."""
    largest = np.abs(weights).max(axis=(1, 2, 3))
    steps: Array = np.where(largest > 0, largest, np.float32(1)).astype(np.float32) / np.float32(LARGEST_INT8)
    return steps


def quantised_weights(weights: Array) -> npt.NDArray[np.int8]:
    """A convolution's weights (out, in, kernel, kernel) as integers, to be multiplied by :func:`weight_steps`."""
    rounded = np.rint(weights / weight_steps(weights)[:, None, None, None])
    integers: npt.NDArray[np.int8] = np.clip(rounded, -LARGEST_INT8, LARGEST_INT8).astype(np.int8)
    return integers


def _checked_range(graph: Graph, name: str, ranges: Mapping[str, float]) -> float:
    size = ranges.get(name)
    if size is None:
        raise GraphError(f"no range for value {name} of {graph.name}, which int8 quantises; calibrate on this graph")
    if not np.isfinite(size) or size < 0:
        raise GraphError(f"the range of value {name} of {graph.name} is {size}; expected a finite number from 0 up")
    return float(size)
