"""Decoded images kept in memory, so that a step does not wait for PNG and JPEG decoders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from search.datasets.dataset import Labels, Sample, Split, labels_at

CACHE_BYTES: Final = 1 << 30
"""Memory for decoded images of one split in one process: 2000 images of 480 x 360, or 128 of 2048 x 1024."""


@dataclass(eq=False)
class CachedSplit:
    """A split that keeps what it has read until its budget is spent; the rest is read each time.

    Attributes:
        split: Where samples come from.
        budget_bytes: Memory that may be kept. A copy in another process starts empty with the same budget.
    """

    split: Split
    budget_bytes: int = CACHE_BYTES
    _kept: dict[int, Sample] = field(default_factory=dict, init=False, repr=False)
    _kept_bytes: int = field(default=0, init=False, repr=False)

    @property
    def name(self) -> str:
        """That of the split."""
        return self.split.name

    @property
    def kept(self) -> int:
        """Samples in memory."""
        return len(self._kept)

    def __len__(self) -> int:
        """Samples in the split."""
        return len(self.split)

    def __getitem__(self, index: int) -> Sample:
        """The sample at `index`, from memory if it is there; its arrays are shared and must not be written to."""
        if index in self._kept:
            return self._kept[index]
        sample = self.split[index]
        if self._kept_bytes + sample.size_bytes <= self.budget_bytes:
            self._kept[index] = sample
            self._kept_bytes += sample.size_bytes
        return sample

    def labels(self, index: int) -> Labels:
        """The labels at `index`, from memory if they are there."""
        return self._kept[index].labels if index in self._kept else labels_at(self.split, index)

    def __reduce__(self) -> tuple[type[CachedSplit], tuple[Split, int]]:
        """Pickled without what is kept."""
        return CachedSplit, (self.split, self.budget_bytes)
