"""How good a predictor is on networks that it has not seen, beside the noise floor and plain baselines."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from predictor.baselines import BASELINES
from predictor.knowledge import Knowledge
from predictor.metrics import Coverage, Scores, coverage, score
from predictor.model import Predictor
from predictor.operator_costs import OperatorCosts
from predictor.samples import NetworkSample, OperatorSample
from predictor.training import train

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores on held-out networks.

    Attributes:
        scores: Of the predictor.
        coverage: Of its intervals.
        baselines: Scores of the plain baselines, by name; empty where their training networks are not at hand.
        tiers: How many networks were answered in each tier.
    """

    scores: Scores
    coverage: Coverage
    baselines: Mapping[str, Scores]
    tiers: Mapping[str, int]


def evaluate(predictor: Predictor, held_out: Sequence[NetworkSample]) -> Evaluation:
    """Score a predictor; what was measured is never looked up.

    Raises:
        ValueError: There is no network.
    """
    return _evaluate(predictor, held_out, {})


def evaluate_beside_baselines(
    knowledge: Knowledge, training: Sequence[NetworkSample], held_out: Sequence[NetworkSample]
) -> Evaluation:
    """Score a predictor and the baselines, which learn from the same training networks and operator costs.

    Raises:
        ValueError: There is no network.
    """
    baselines = _baseline_scores(training, held_out, knowledge.costs)
    return _evaluate(Predictor(knowledge, "evaluation"), held_out, baselines)


def _evaluate(predictor: Predictor, held_out: Sequence[NetworkSample], baselines: Mapping[str, Scores]) -> Evaluation:
    measured_s = np.array([sample.latency_s for sample in held_out])
    batch = predictor.predict_batch([sample.architecture for sample in held_out])
    nominal = predictor.knowledge.intervals.coverage
    return Evaluation(
        scores=score(batch.latency_s, measured_s),
        coverage=coverage(batch.low_s, batch.high_s, batch.latency_s, measured_s, nominal=nominal),
        baselines=baselines,
        tiers={tier: batch.tiers.count(tier) for tier in sorted(set(batch.tiers))},
    )


def _baseline_scores(
    training: Sequence[NetworkSample], held_out: Sequence[NetworkSample], costs: OperatorCosts
) -> Mapping[str, Scores]:
    networks = [sample.architecture for sample in held_out]
    measured_s = np.array([sample.latency_s for sample in held_out])
    return {name: score(baseline(training, networks, costs), measured_s) for name, baseline in BASELINES.items()}


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of a figure over random splits."""

    mean: float
    deviation: float


def repeated_splits(
    target: str,
    networks: Sequence[NetworkSample],
    operators: Sequence[OperatorSample],
    *,
    free_kinds: Collection[str] = (),
    splits: int = 10,
    seed: int = 0,
) -> Mapping[str, Spread]:
    """Train on a random half and score on the other, `splits` times; the error bars of :func:`evaluate`.

    Networks that may not calibrate are no random sample: they are always learned from, and never scored on.

    Returns:
        By figure: every score, ``coverage`` and ``mean_width``.

    Raises:
        InsufficientData: A half is too small to train on.
    """
    drawn = [sample for sample in networks if sample.calibrates]
    chosen = [sample for sample in networks if not sample.calibrates]
    rng = np.random.default_rng(seed)
    figures: list[Mapping[str, float]] = []
    for split in range(splits):
        order = rng.permutation(len(drawn))
        half = len(drawn) // 2
        known, unseen = ([drawn[position] for position in part] for part in (order[:half], order[half:]))
        knowledge = train(target, [*known, *chosen], operators, free_kinds=free_kinds, seed=split)
        evaluation = evaluate(Predictor(knowledge, "split"), unseen)
        kept = {"coverage": evaluation.coverage.share, "mean_width": evaluation.coverage.mean_width}
        figures.append({**asdict(evaluation.scores), **kept})
    return {name: _spread([figure[name] for figure in figures]) for name in figures[0]} if figures else {}


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else math.nan)
