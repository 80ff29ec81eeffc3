"""How a search shows that it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from search.candidate import Candidate
from search.progress import StepBars, progress_display


@dataclass
class SearchBars(StepBars):
    """Progress of training and search."""

    learner: str = "supernet"

    def scored(self) -> None:
        """One more candidate."""
        self.step()

    def generation(self, number: int, evaluated: int, hypervolume: float, archive: Sequence[Candidate]) -> None:
        """A generation is over."""
        best = max((c.miou for c in archive if c.miou is not None), default=0.0)
        self.say(
            f"generation {number}: {evaluated} scored, hypervolume {hypervolume:.4f}, best supernet mIoU {best:.3f}"
        )


@contextmanager
def search_bars() -> Iterator[SearchBars]:
    """Progress on standard error while the block runs."""
    with progress_display() as display:
        yield SearchBars(*display)
