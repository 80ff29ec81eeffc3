"""What a predictor knows about one target: the content of an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hyctas.architecture import ArchitectureDefaults
from hyctas.prediction import ExpectedError
from predictor.intervals import Intervals
from predictor.learning import Latency
from predictor.operator_costs import OperatorCosts


@dataclass(frozen=True, slots=True)
class TrainedRange:
    """Inside of what the end-to-end model was trained on.

    Attributes:
        settings: Sizes, base channels, heads and so on of the training networks.
        latency_s: Shortest and longest additive latency.
        branches: Branch counts.
    """

    settings: frozenset[ArchitectureDefaults]
    latency_s: tuple[float, float]
    branches: frozenset[int]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Everything that a prediction on one target needs.

    Attributes:
        target: Full name of the target.
        costs: Operator costs.
        latency: The end-to-end model; the plain sum of operator costs where no networks were measured.
        trained: What the end-to-end model has seen, or None where it has seen nothing.
        intervals: Half-widths of the intervals.
        expected_error: Error on networks left out in training, or None.
        facts: What it was trained from, for people: counts, runs, choices, versions.
    """

    target: str
    costs: OperatorCosts
    latency: Latency
    trained: TrainedRange | None
    intervals: Intervals
    expected_error: ExpectedError | None
    facts: Mapping[str, object] = field(default_factory=dict)
