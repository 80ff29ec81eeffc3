"""MIoU at the precision that a network is deployed at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch

from hyctas.errors import InvalidInput
from hyctas.torch_form import GraphModule
from search.batches import Batch
from search.deployment.emulation import Arithmetic, FoldedNetwork, Fp32
from search.deployment.floating import Half, Tf32
from search.deployment.int8 import calibrated
from search.evaluation.quality import Quality, segmentation_quality


@dataclass(frozen=True, slots=True)
class DeployedQuality:
    """How well a network segments at a precision.

    Attributes:
        precision: As in the name of a target.
        quality: The mIoU.
        emulated: Whether it comes from float32 arithmetic that rounds as this precision does, not from a runtime that
            runs it; a runtime rounds in other places, too.
    """

    precision: str
    quality: Quality
    emulated: bool


def precision_quality(
    module: GraphModule, precision: str, batches: Iterable[Batch], classes: int, *, calibration: Sequence[Batch] = ()
) -> DeployedQuality:
    """MIoU of a trained network at a precision, its batch norms folded.

    Args:
        module: The network, in inference form.
        precision: A key of :data:`ARITHMETICS`.
        batches: Images with labels.
        classes: How many there are.
        calibration: Batches of training images that int8 finds its scales on.

    Raises:
        InvalidInput: The precision is unknown, or int8 has nothing to calibrate on.
        FloatingPointError: A logit is not finite, as where fp16 overflows.
    """
    if precision not in ARITHMETICS:
        raise InvalidInput("precision", precision, f"one of {', '.join(ARITHMETICS)}")
    network = FoldedNetwork(module)
    arithmetic = ARITHMETICS[precision](network, calibration)
    with torch.inference_mode():
        quality = segmentation_quality(lambda images: network.predict(images, arithmetic), batches, classes)
    return DeployedQuality(precision, quality, emulated=precision != "fp32")


def _int8(network: FoldedNetwork, calibration: Sequence[Batch]) -> Arithmetic:
    if not calibration:
        raise InvalidInput("calibration", "0 batches", "at least one batch of training images for int8")
    return calibrated(network, calibration)


ARITHMETICS: Final[Mapping[str, Callable[[FoldedNetwork, Sequence[Batch]], Arithmetic]]] = MappingProxyType(
    {
        "fp32": lambda network, calibration: Fp32(),
        "tf32": lambda network, calibration: Tf32(),
        "fp16": lambda network, calibration: Half(torch.float16),
        "bf16": lambda network, calibration: Half(torch.bfloat16),
        "int8": _int8,
    }
)
"""The precisions that are known, each with what computes in it."""
