"""What about a part decides its cost, read off its graph once.

Network features are sums of these over parts, so they must be additive. Batch norms and constant scales are left out:
every runtime folds them into convolutions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.costs import node_bytes, node_macs
from hyctas.folding import FOLDABLE
from hyctas.graph import Graph, Node
from hyctas.lowering import lower_part
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import PART_KINDS, Part

Array = npt.NDArray[np.float64]

KINDS: Final[tuple[str, ...]] = (*CELL_OPERATORS, *PART_KINDS)
"""All kinds of parts; a part's kind is one of the features."""

FEATURES: Final = (
    "conv_1x1_macs",
    "conv_3x3_macs",
    "matmul_macs",
    "conv_bytes",
    "weight_bytes",
    "resize_bytes",
    "softmax_bytes",
    "other_bytes",
    "nodes",
)
"""Names of the features of a part, in the order of its vector."""

_BYTES_COLUMN: Final = {"conv": "conv_bytes", "resize": "resize_bytes", "softmax": "softmax_bytes"}


@lru_cache(maxsize=65536)
def part_features(part: Part) -> tuple[float, ...]:
    """The vector of a part, in the order of :data:`FEATURES`."""
    graph = lower_part(part)
    totals = dict.fromkeys(FEATURES, 0.0)
    for node in graph.nodes:
        if node.op not in FOLDABLE:
            _add_node(totals, graph, node)
    return tuple(totals.values())


def _add_node(totals: dict[str, float], graph: Graph, node: Node) -> None:
    weights = 4.0 * sum(parameter.elements for parameter in node.parameters)
    totals["nodes"] += 1
    totals["weight_bytes"] += weights
    totals[_BYTES_COLUMN.get(node.op, "other_bytes")] += node_bytes(graph, node) - weights
    macs = node_macs(graph, node)
    if node.op == "matmul":
        totals["matmul_macs"] += macs
    elif node.op == "conv":
        totals["conv_1x1_macs" if node.integer("kernel") == 1 else "conv_3x3_macs"] += macs


TILES: Final = (32, 64, 128)
"""Kernels of GPUs, and vector units of CPUs, work on whole tiles of so many channels."""
_COUNTED: Final = ("conv_1x1_macs", "conv_3x3_macs", "resize_bytes")
"""Features of :data:`FEATURES` that tell what sort of work a part does, whatever its kind."""
SHARED_LOG_FEATURES: Final = (
    *("pixels", "in_channels", "out_channels", "stride", "macs", "bytes"),
    *_COUNTED,
    *(f"out_channels_waste_{tile}" for tile in TILES),
    f"in_channels_waste_{TILES[0]}",
)
"""Names of the first features of :func:`log_features`, which mean the same for every kind."""


def log_features(part: Part) -> Array:
    """Features of a part for a smooth model of the logarithm of its cost, and its kind one-hot.

    Logarithms of sizes, channels, multiply-accumulates and bytes. A cost rises in steps where another tile of channels
    is begun, so the waste, channels rounded up to whole tiles over channels, lets a smooth model follow the steps.
    """
    features = dict(zip(FEATURES, part_features(part), strict=True))
    macs, moved = (sum(v for name, v in features.items() if name.endswith(end)) for end in ("_macs", "_bytes"))
    channels_in, channels_out = sum(part.in_channels), part.out_channels
    sizes = [part.batch * part.height * part.width, channels_in, channels_out, part.stride, 1.0 + macs, moved]
    counted = [1.0 + features[name] for name in _COUNTED]
    waste = [*(_waste(channels_out, tile) for tile in TILES), _waste(channels_in, TILES[0])]
    return np.array([*np.log([*sizes, *counted, *waste]), *(float(part.kind == kind) for kind in KINDS)])


def _waste(channels: int, tile: int) -> float:
    """Channels in whole tiles over channels."""
    return -(-channels // tile) * tile / channels
