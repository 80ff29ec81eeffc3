"""Which words of a runtime mean that memory ran out, whoever ran out of it: host, CUDA, cuDNN or an engine."""

from __future__ import annotations

import re
from typing import Final

_OUT_OF_MEMORY: Final = re.compile(
    r"out[ _-]?of[ _-]?memory"  # CUDA, torch.OutOfMemoryError, TensorRT
    r"|MemoryError|MemoryAllocation|bad_alloc|ALLOC_FAILED"  # Python, cudaErrorMemoryAllocation, C++, cuDNN and cuBLAS
    r"|(?:fail\w*|cannot|could not|unable)\b[^.;:]{0,40}\balloc"  # ONNX Runtime, OpenVINO
    r"|\balloc\w*\b[^.;:]{0,40}\bfail",
    re.IGNORECASE,
)


def is_out_of_memory(text: str) -> bool:
    """Whether an error with this text is about memory that could not be had."""
    return _OUT_OF_MEMORY.search(text) is not None
