"""Predictions and evaluations in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hyctas.prediction import Prediction
from predictor.evaluation import Evaluation, Spread
from predictor.metrics import Scores

NAMED_PARTS: Final = 5
"""Unmeasured parts that are named in words; JSON names all."""
_MS: Final = 1e3
_HEADER: Final = f"{'':<18}{'MAPE':>8}{'within 5 %':>12}{'within 10 %':>13}{'Spearman':>10}{'pairs':>8}{'bias':>8}"


def described_evaluation(evaluation: Evaluation, noise_floor: float | None, bars: Mapping[str, Spread]) -> str:
    """Scores on held-out networks beside the noise floor and the baselines; error bars where there are splits."""
    lines = [f"held out: {evaluation.scores.networks} networks", _HEADER, _row("predictor", evaluation.scores)]
    lines += [_row(name.replace("_", " "), scores) for name, scores in evaluation.baselines.items()]
    floor = "unknown (no workload was measured in two processes)" if noise_floor is None else f"{noise_floor:.2%}"
    found = evaluation.coverage
    lines += [
        f"noise floor between processes: {floor}",
        f"interval: nominal {found.nominal:.0%}, held {found.share:.1%} (95 % interval {found.low:.1%} to "
        f"{found.high:.1%}), mean width {found.mean_width:.1%} of the latency",
        "tiers: " + ", ".join(f"{count} {tier}" for tier, count in evaluation.tiers.items()),
    ]
    if bars:
        kept = ("mape", "within_5", "within_10", "spearman", "pair_accuracy", "coverage", "mean_width")
        lines.append("random splits: " + ", ".join(f"{n} {bars[n].mean:.4f} ± {bars[n].deviation:.4f}" for n in kept))
    return "\n".join(lines)


def described_prediction(name: str, prediction: Prediction) -> str:
    """One prediction, and its breakdown if it has one."""
    p = prediction
    interval = f"{p.low_s * _MS:.3f} to {p.high_s * _MS:.3f} at {p.coverage:.0%}"
    lines = [f"{name}: {p.latency_s * _MS:.3f} ms ({interval}), {p.tier}"]
    if p.expected_error is not None:
        e = p.expected_error
        lines.append(f"  expected error {e.mape:.2%}, {e.within_5:.0%} within 5 % (on {e.networks} networks left out)")
    if p.unsupported:
        first, more = p.unsupported[:NAMED_PARTS], len(p.unsupported) - NAMED_PARTS
        lines.append(f"  not measured: {', '.join(first)}{f' and {more} more (see --json)' if more > 0 else ''}")
    width = max([28, *(len(c.part) for c in p.breakdown)])
    lines += [
        f"  {c.part:<{width}} {c.kind:<16} {c.latency_s * _MS:>9.3f} ms  {c.source}{c.entry and f'  {c.entry}'}"
        for c in p.breakdown
    ]
    return "\n".join(lines)


def _row(name: str, s: Scores) -> str:
    return (
        f"{name:<18}{s.mape:>8.2%}{s.within_5:>12.1%}{s.within_10:>13.1%}{s.spearman:>10.4f}"
        f"{s.pair_accuracy:>8.1%}{s.bias:>+8.2%}"
    )
