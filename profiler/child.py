"""Processes that load a runtime: how they are started, and what is known once they have died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, Final

from profiler.reference import SINGLE_THREAD

SAME_GPU_NUMBERS: Final[Mapping[str, str]] = MappingProxyType({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
"""See :mod:`profiler.nvml`."""
_KEPT_CHARACTERS: Final = 500


def start_child(module: str, *, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Run ``main()`` of a module in a process that ends with this one, with pipes to its stdin and from its stdout.

    The process finds modules where this one does, but not in the current folder unless that is on the path. CUDA counts
    GPUs there in the order of the PCI bus, as NVML does.
    """
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "profiler.parentage", module, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, **SINGLE_THREAD, **SAME_GPU_NUMBERS, "PYTHONPATH": path},
    )


def how_it_ended(status: int) -> str:
    """The exit status of a process in words."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def last_words(stderr: IO[bytes]) -> str:
    """The last line that a process wrote to stderr, which is the message of a Python error."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1][-_KEPT_CHARACTERS:] if lines else ""
