"""A stored candidate beside what a search makes of it: its objectives, its latencies now and before measuring."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.records import CandidateLatency, CandidateRecord
from hyctas.errors import SearchError
from search.candidate import Candidate
from search.store import stored_candidate


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A candidate of a search.

    Attributes:
        record: What the database holds of it.
        candidate: The same with the newest predictions, which knows its objectives.
    """

    record: CandidateRecord
    candidate: Candidate

    @property
    def branches(self) -> int:
        """How many branches it has."""
        return len(self.candidate.architecture.branches)

    @property
    def miou(self) -> float | None:
        """The most careful mIoU that is known."""
        return self.record.miou if self.record.final_miou is None else self.record.final_miou

    @property
    def search_miou(self) -> float:
        """The mIoU that the search went by.

        Raises:
            SearchError: It was not evaluated.
        """
        if self.record.miou is None:
            raise SearchError(f"candidate {self.record.architecture_key[:12]} has no mIoU: it was not evaluated")
        return self.record.miou

    def latency(self, target: str) -> CandidateLatency:
        """The newest prediction on a target, which may be the measurement itself."""
        return self._of(target)[-1]

    def forecast(self, target: str) -> CandidateLatency | None:
        """The newest prediction on a target that was made without having measured this network; None without one."""
        return next((latency for latency in reversed(self._of(target)) if latency.tier != "measured"), None)

    def measured_s(self, target: str) -> float | None:
        """Measured latency on a target, or None."""
        known = (latency.measured_s for latency in self._of(target))
        return next((measured_s for measured_s in known if measured_s is not None), None)

    def eligible(self, limits_s: Sequence[float | None]) -> bool:
        """Whether it can be on a front: it was evaluated and keeps to the limits."""
        return self.record.miou is not None and self.candidate.score(limits_s).feasible

    def _of(self, target: str) -> list[CandidateLatency]:
        known = (latency for latency in self.record.latencies if latency.target == target)
        return sorted(known, key=lambda latency: latency.revision)


def evaluated(record: CandidateRecord, targets: Sequence[str]) -> Evaluated:
    """Read a stored candidate.

    Raises:
        InvalidArchitecture: Its document is not one of an architecture.
    """
    return Evaluated(record, stored_candidate(record, targets, revision=sys.maxsize))


def objectives(candidates: Sequence[Evaluated], targets: int) -> npt.NDArray[np.float64]:
    """Objectives (candidates, 1 + targets) as the search sees them: 1 - mIoU, then log latencies."""
    rows = [found.candidate.score((None,) * targets).minimised for found in candidates]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 1 + targets)
