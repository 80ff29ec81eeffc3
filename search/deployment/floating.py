"""Reduced floating point: values and weights rounded, sums in float32 as tensor cores and CPUs keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from hyctas.graph import Node
from hyctas.torch_form import run_node

TF32_DROPPED_BITS: Final = 13
"""Of the 23 bits of a float32 fraction; NVIDIA, "Accelerating AI Training with TF32", 2021."""
_MULTIPLYING: Final = ("conv", "matmul")


class Half:
    """Everything that is stored is fp16 or bf16; too large a number becomes infinite.

    A node computes in float32 and rounds what it writes, so softmax and global pooling are in float32 inside, as
    they are deployed (:data:`hyctas.number_format.FLOAT32_PRIMITIVES`). A batch norm that is left is a factor and a
    shift, rounded as :func:`hyctas.folding.without_statistics` writes them. Run natively, convolutions differ from that
    in the order of their float32 sums only; on a CPU without fp16 arithmetic they take sixty times as long.

    Args:
        dtype: ``torch.float16`` or ``torch.bfloat16``.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """See :class:`search.deployment.emulation.Arithmetic`."""
        read = [self._rounded(x) for x in inputs]
        output = self._normalised(node, read[0], tensors) if node.op == "batch_norm" else self._run(node, read, tensors)
        return self._rounded(output) if output.is_floating_point() else output

    def _run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        return run_node(node, inputs, [self._rounded(x) for x in tensors])

    def _normalised(self, node: Node, values: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        gamma, beta, mean, variance = (x.double() for x in tensors)
        factor = gamma / (variance + node.number("epsilon")).sqrt()
        factor, shift = (self._rounded(x.float())[:, None, None] for x in (factor, beta - mean * factor))
        return values * factor + shift

    def _rounded(self, values: Tensor) -> Tensor:
        return values.to(self._dtype).float()


class Tf32:
    """Products of convolutions and matrix products read operands of 10 fraction bits; everything else is float32."""

    def run(self, node: Node, inputs: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """See :class:`search.deployment.emulation.Arithmetic`."""
        if node.op not in _MULTIPLYING:
            return run_node(node, inputs, tensors)
        weights, biases = tensors[:1], tensors[1:]
        return run_node(node, [to_tf32(x) for x in inputs], [*(to_tf32(x) for x in weights), *biases])


def to_tf32(values: Tensor) -> Tensor:
    """Float32 rounded to the nearest TF32 number, ties to even; infinities and NaN stay."""
    bits = values.view(torch.int32)
    last_kept = (bits >> TF32_DROPPED_BITS) & 1
    rounded = (bits + ((1 << (TF32_DROPPED_BITS - 1)) - 1) + last_kept) >> TF32_DROPPED_BITS << TF32_DROPPED_BITS
    return torch.where(values.isfinite(), rounded.view(torch.float32), values)
