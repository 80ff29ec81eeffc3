"""Whether this machine has a GPU to test on: ``python -m tests.gpu.presence`` says so, and ends with 1 if not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache

from profiler.nvml import GpuMonitor


@cache
def missing_gpu() -> str | None:
    """Why there is no GPU that CUDA may use; None if there is one."""
    return missing_in(os.environ)


def missing_in(environment: Mapping[str, str]) -> str | None:
    """The same under other environment variables."""
    monitor = GpuMonitor(environment)
    return None if monitor.available else monitor.missing or "NVML names none"


def main() -> int:
    """Tell, for ``make test-gpu``, before anything large is installed."""
    reason = missing_gpu()
    if reason is None:
        return 0
    sys.stderr.write(
        f"make test-gpu needs an NVIDIA GPU and its driver, and there is none: {reason}\n"
        "Nothing was tested, and no evidence file was written. What is proven without a GPU: docs/gpu.md\n"
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
