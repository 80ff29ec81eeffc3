"""What an engine computed, as arrays on the host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Output = npt.NDArray[Any]
"""Float32, or the integers of an argmax."""


def all_finite(outputs: Iterable[Output]) -> bool:
    """Whether no output holds NaN or infinity."""
    return all(bool(np.isfinite(output).all()) for output in outputs)
