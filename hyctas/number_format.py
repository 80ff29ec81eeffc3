"""What a precision means in an ONNX model: which numbers are stored, where, and what stays float32.

The border of a model is float32 at every precision (:data:`BORDER_DTYPE`), so that all of them take the same inputs;
the casts there are part of the model, and of the latency that is measured. TF32 is a matter of a runtime's flags:
its model is that of fp32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import GraphError, InvalidInput
from hyctas.graph import Node
from hyctas.weights import Array

BORDER_DTYPE: Final = "float32"
"""Inputs and outputs of a model at every precision; what is narrower inside is cast at the border."""
FLOAT32_PRIMITIVES: Final = frozenset({"softmax", "global_average_pool"})
"""Computed in float32 between casts at half precision: sums over so many terms that half precision loses or overflows
them. A sigmoid does not need it (it saturates), nor do averages over the few positions of a pooling window."""
LARGEST_FLOAT16: Final = 65504.0


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The numbers of an ONNX model.

    Attributes:
        dtype: Of weights and of values inside.
        opset: The ONNX opset that has every primitive in `dtype`: 17, which every runtime in use reads, except that
            convolutions and pooling take bfloat16 from 22 on.
        quantised: Whether what :func:`hyctas.quantisation.reads_int8` says goes through int8.
    """

    dtype: str = BORDER_DTYPE
    opset: int = 17
    quantised: bool = False

    def dtype_of(self, node: Node) -> str:
        """What `node` computes in: its inputs, parameters and output, unless that is of integers."""
        return BORDER_DTYPE if node.op in FLOAT32_PRIMITIVES else self.dtype


NUMBER_FORMATS: Final[Mapping[str, NumberFormat]] = MappingProxyType(
    {
        "fp32": NumberFormat(),
        "tf32": NumberFormat(),
        "fp16": NumberFormat("float16"),
        "bf16": NumberFormat("bfloat16", opset=22),
        "int8": NumberFormat(quantised=True),
    }
)
"""The number format of each precision that a target can have."""


def number_format(precision: str) -> NumberFormat:
    """The number format of a precision.

    Raises:
        InvalidInput: There is no such precision.
    """
    try:
        return NUMBER_FORMATS[precision]
    except KeyError:
        raise InvalidInput("precision", precision, f"one of {', '.join(NUMBER_FORMATS)}") from None


def converted(name: str, array: Array, dtype: str) -> npt.NDArray[Any]:
    """A float32 array in another floating-point format, rounded to nearest, ties to even.

    Args:
        name: Which parameter it is, for the error.
        array: Its numbers.
        dtype: ``float32``, ``float16`` or ``bfloat16``; the last comes as its bits (uint16), as numpy has no such type.

    Raises:
        GraphError: A number is too large for `dtype`.
    """
    if dtype == "float32":
        return array
    if dtype == "bfloat16":
        return _bfloat16_bits(array)
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if np.isinf(half).any():
        largest = float(np.abs(array).max())
        raise GraphError(
            f"parameter {name} holds {largest:g}, too large for fp16 (at most {LARGEST_FLOAT16:.0f}) once batch norms "
            "are folded; use bf16, or rescale the weights"
        )
    return half


def _bfloat16_bits(array: Array) -> npt.NDArray[np.uint16]:
    """The upper half of each float32, rounded; NaN stays NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    quiet_nan = (bits >> 16) | 0x40
    return np.where(np.isnan(array), quiet_nan, rounded).astype(np.uint16)
