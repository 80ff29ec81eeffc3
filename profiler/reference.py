"""Reference workloads: fixed code that is timed beside every sample group, so that drift of the machine cancels.

One is compute-bound, one memory-bound. Neither changes with the runtime under test: both are numpy, on one thread,
and their name carries everything that could change their speed on equal hardware. A change of that name needs a
new calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

MATRIX_SIDE: Final = 512
"""A product of two such matrices is 134 M multiply-accumulates: 2 to 5 ms on one core."""
STREAM_ELEMENTS: Final = 12 * 2**20
"""Two such float32 arrays (96 MiB) do not fit a last-level cache of 32 MiB; a pass takes 2 to 8 ms."""
SINGLE_THREAD: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS"), "1")
)
"""Environment that a measuring process must start with, before numpy is imported."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ComputeReference:
    """A single-precision matrix product that stays in cache."""

    left: Array
    right: Array
    product: Array

    @classmethod
    def create(cls) -> ComputeReference:
        """Allocate the operands."""
        rng = np.random.default_rng(0)
        left, right = (rng.standard_normal((MATRIX_SIDE,) * 2, dtype=np.float32) for _ in range(2))
        return cls(left, right, np.empty_like(left))

    def run(self) -> None:
        """Multiply once."""
        np.matmul(self.left, self.right, out=self.product)


@dataclass(frozen=True, slots=True)
class MemoryReference:
    """A stream that adds one large array to another."""

    source: Array
    total: Array

    @classmethod
    def create(cls) -> MemoryReference:
        """Allocate the arrays; zeros are added, so that the sum stays finite for ever.

        They are written, because memory that ``np.zeros`` has only promised is one page that is always in cache.
        """
        return cls(np.full(STREAM_ELEMENTS, 0.0, np.float32), np.full(STREAM_ELEMENTS, 1.0, np.float32))

    def run(self) -> None:
        """Stream once."""
        np.add(self.source, self.total, out=self.total)


def reference_id() -> str:
    """Name of the reference code: sizes, numpy and the BLAS kernel that it runs on."""
    return f"sgemm{MATRIX_SIDE}+add{STREAM_ELEMENTS}/numpy-{np.__version__}/{_blas()}"


def _blas() -> str:
    """Name, version and core type of numpy's BLAS."""
    import threadpoolctl

    np.zeros((2, 2)) @ np.zeros((2, 2))
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool.get("user_api") == "blas"]
    for pool in sorted(pools, key=lambda pool: "numpy" not in str(pool.get("filepath"))):
        # scipy carries a BLAS of its own, which counts only where numpy's cannot be told from it.
        return "-".join(str(pool.get(field, "unknown")) for field in ("internal_api", "version", "architecture"))
    return "unknown-blas"
