"""What the numbers in a mask file mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyctas.errors import DatasetError
from search.datasets.dataset import IGNORE, Labels


@dataclass(frozen=True)
class MaskIds:
    """The number that a file uses for each class, and the numbers that stand for no class.

    Attributes:
        numbers: For each class id, its number in the file.
        ignored: Numbers of pixels to ignore.
    """

    numbers: tuple[int, ...]
    ignored: frozenset[int]

    def labels(self, mask: Labels, path: Path) -> Labels:
        """`mask` with its numbers replaced by class ids and `IGNORE`.

        Args:
            mask: As read from the file, (H, W).
            path: The file, for the error.

        Raises:
            DatasetError: A number is neither of a class nor to be ignored.
        """
        found = np.bincount(mask.ravel(), minlength=256)
        unknown = np.flatnonzero(found * (self._classes < 0))
        if unknown.size:
            raise DatasetError(
                f"{path}: class id {ranges(unknown.tolist())} on {int(found[unknown].sum())} pixels; "
                f"allowed are {ranges(self._allowed)}"
            )
        return self._classes.astype(np.uint8)[mask]

    @property
    def _allowed(self) -> list[int]:
        return sorted({*self.numbers, *self.ignored})

    @cached_property
    def _classes(self) -> NDArray[np.int16]:
        """For each number, its class id or `IGNORE`; -1 where it has no meaning."""
        table = np.full(256, -1, np.int16)
        table[sorted(self.ignored)] = IGNORE
        table[list(self.numbers)] = np.arange(len(self.numbers))
        return table


def ranges(numbers: Iterable[int]) -> str:
    """Sorted whole numbers in words, such as ``0 to 11, 255``."""
    runs = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    spans = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{span[0]} to {span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)
