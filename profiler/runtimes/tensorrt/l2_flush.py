"""Emptying the L2 cache before a run, so that it begins as cold as in an application that did something else before.

Without it a small network that is run over and over finds its weights and activations in L2 (up to 126 MB on current
GPUs), which few applications do.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from profiler.runtimes.tensorrt.cuda import Cuda, Stream

L2_SHARE: Final = 2
"""The buffer is so many times the L2: replacement is not strictly by age, so that as much as fits is not enough."""
LEAST_BYTES: Final = 1 << 20


class L2Flush:
    """A buffer larger than the L2 cache, which is overwritten.

    Args:
        cuda: The device.
        stream: Where to enqueue.
        resources: Frees the buffer.
    """

    def __init__(self, cuda: Cuda, stream: Stream, resources: ExitStack) -> None:
        self.size_bytes = max(L2_SHARE * cuda.properties().l2_bytes, LEAST_BYTES)
        self._cuda = cuda
        self._stream = stream
        self._address = cuda.malloc(self.size_bytes)
        resources.callback(cuda.free, self._address)
        self._value = 0

    def enqueue(self) -> None:
        """Overwrite the buffer, with another value each time so that no write can be left out."""
        self._value = (self._value + 1) % 256
        self._cuda.memset(self._address, self._value, self.size_bytes, self._stream)
