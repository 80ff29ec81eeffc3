"""Int8 models in the form that OpenVINO's own tools write.

OpenVINO reads quantise and dequantise nodes of ONNX as a ``FakeQuantize`` to integers, two conversions and a product.
From that form its low precision transformations (2026.4) compute concatenations wrongly: every value is rounded to a
multiple of 1 instead of its step. From a ``FakeQuantize`` that gives the dequantised value back, as NNCF writes
it, they make the same integer operations with the right result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import openvino

from profiler.runtimes.engine import Unsupported

LEVELS: Final = 256
_WAY_BACK: Final = ("Convert", "Convert", "Subtract", "Multiply")
"""To int8 and back, minus the zero point, times the step."""


def with_dequantised_outputs(model: Any) -> None:
    """Replace each quantise node and the dequantise nodes that read it by a ``FakeQuantize``, in place.

    Raises:
        Unsupported: OpenVINO reads the nodes in another form than that described above.
    """
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "FakeQuantize":
            for *_, zero, product in _ways_back(operation):
                _replace(operation, zero, product)
    model.validate_nodes_and_infer_types()


def _ways_back(quantise: Any) -> Iterator[list[Any]]:
    """The nodes from a quantise node to the value that is read as a float again: one way for each dequantise node."""
    ways = [[quantise]]
    for kind in _WAY_BACK:
        ways = [[*way, reader] for way in ways for reader in _readers(way[-1])]
        for *_, reader in ways:
            if reader.get_type_name() != kind:
                raise Unsupported(
                    f"OpenVINO {openvino.get_version()} reads quantised models in another form than is known: "
                    f"{reader.get_type_name()} {reader.get_friendly_name()} stands where a {kind} was expected"
                )
    yield from ways


def _replace(quantise: Any, zero: Any, product: Any) -> None:
    source, low, high, smallest, largest = (quantise.input_value(port) for port in range(5))
    if np.any(_constant(zero.input_value(1))):
        raise Unsupported(f"{product.get_friendly_name()} has a zero point other than 0")
    step = _constant(product.input_value(1))
    ops = openvino.opset13
    bounds = [ops.constant(_constant(bound) * step) for bound in (smallest, largest)]
    replacement = ops.fake_quantize(source, low, high, *bounds, LEVELS)
    replacement.set_friendly_name(product.get_friendly_name())
    product.output(0).replace(replacement.output(0))


def _readers(node: Any) -> list[Any]:
    return [port.get_node() for port in node.output(0).get_target_inputs()]


def _constant(output: Any) -> Any:
    """The numbers of a constant, behind conversions or not."""
    node = output.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.get_data().astype(np.float32)
