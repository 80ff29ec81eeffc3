"""Number formats of forward passes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from search.training.settings import Precision

DTYPES: Final[Mapping[str, torch.dtype]] = MappingProxyType(
    {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
)


def forward_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type that convolutions and matrix products compute in.

    ``auto`` is bf16 on a GPU that has it, else fp32: CPUs without its instructions only emulate it.
    """
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return DTYPES[precision]
