"""Everything that a report says of a search, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.records import CandidateLatency
from hyctas.architecture import Architecture
from hyctas.costs import Costs
from search.report.comparison import TargetComparison
from search.report.convergence import GenerationVolume
from search.report.run_facts import RunFacts


@dataclass(frozen=True, slots=True)
class Dot:
    """A candidate that was evaluated, front or not.

    Attributes:
        key: Architecture key.
        generation: The generation that scored it.
        branches: How many branches it has.
        miou: Quality that the search went by.
        latency_s: Newest predicted latency on each target.
        eligible: Whether it keeps to all limits.
    """

    key: str
    generation: int
    branches: int
    miou: float
    latency_s: tuple[float, ...]
    eligible: bool


@dataclass(frozen=True, slots=True)
class FrontNetwork:
    """A network that is on a front.

    Attributes:
        key: Architecture key.
        architecture: The network.
        generation: The generation that scored it first.
        search_miou: Quality that the search went by.
        final_miou: Quality found with more care, or None.
        latencies: Newest prediction and measurement on each target.
        costs: Of one run.
        overall: Whether it is on the front of all, not only of its branch count.
    """

    key: str
    architecture: Architecture
    generation: int
    search_miou: float
    final_miou: float | None
    latencies: tuple[CandidateLatency, ...]
    costs: Costs
    overall: bool

    @property
    def branches(self) -> int:
        """How many branches it has."""
        return len(self.architecture.branches)

    @property
    def miou(self) -> float:
        """The most careful mIoU that is known."""
        return self.search_miou if self.final_miou is None else self.final_miou


@dataclass(frozen=True, slots=True)
class TargetFronts:
    """Fronts of mIoU against latency on one target alone, as keys in ascending latency.

    Attributes:
        target: Its full name.
        limit_s: Latency limit, or None.
        overall: Networks of the front of all that nothing on it beats on this target.
        by_branches: The same for each branch count.
    """

    target: str
    limit_s: float | None
    overall: tuple[str, ...]
    by_branches: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the candidates.

    Attributes:
        scored: All of them.
        evaluated: Those with an mIoU.
        failed: Those whose evaluation failed.
        over_limit: Those that were not evaluated, since they break a latency limit.
    """

    scored: int
    evaluated: int
    failed: int
    over_limit: int


@dataclass(frozen=True, slots=True)
class Highlight:
    """A network worth naming first.

    Attributes:
        label: Why, in words.
        key: Architecture key.
    """

    label: str
    key: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """A search as a report tells it.

    Attributes:
        run: What it was told, and how it ended.
        counts: What became of its candidates.
        failures: Why candidates failed, by architecture key.
        dots: Every candidate that was evaluated.
        networks: The networks of all fronts; those of the front of all first, each in ascending latency.
        left: Keys of networks that left every front when their mIoU was found with more care.
        target_fronts: The fronts on each target.
        highlights: Networks worth naming first.
        convergence: Hypervolume after each generation; empty without a reference point.
        comparisons: Predicted against measured latency, for each target.
    """

    run: RunFacts
    counts: Counts
    failures: Mapping[str, str]
    dots: tuple[Dot, ...]
    networks: tuple[FrontNetwork, ...]
    left: tuple[str, ...]
    target_fronts: tuple[TargetFronts, ...]
    highlights: tuple[Highlight, ...]
    convergence: tuple[GenerationVolume, ...]
    comparisons: tuple[TargetComparison, ...]

    @property
    def branch_counts(self) -> tuple[int, ...]:
        """Branch counts of the candidates that were evaluated, ascending."""
        return tuple(sorted({dot.branches for dot in self.dots}))

    @property
    def by_key(self) -> Mapping[str, FrontNetwork]:
        """The networks of all fronts by architecture key."""
        return {network.key: network for network in self.networks}
