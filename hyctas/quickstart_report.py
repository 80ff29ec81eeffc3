"""The report of the quick start, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyctas.prediction_json import prediction_to_json
from hyctas.quickstart_values import Comparison, QuickstartResult, QuickstartSettings

_BASELINES = {"macs_only": "MACs only", "operator_sum": "sum of operators", "one_hot_boosting": "one-hot boosting"}


def report_json(result: QuickstartResult, settings: QuickstartSettings) -> dict[str, Any]:
    """The result as one JSON document."""
    return {
        "target": result.target,
        "model_id": result.model["model_id"],
        "database": settings.database_url,
        "report": str(settings.report),
        "noise_floor": result.model["noise_floor"],
        "evaluation": result.model["evaluation"],
        "comparisons": [
            {
                "key": comparison.key,
                "branches": comparison.branches,
                "predicted": prediction_to_json(comparison.key, comparison.predicted),
                "measured_ms": None if comparison.measured_s is None else comparison.measured_s * 1e3,
                "stable": comparison.stable,
                "error": comparison.error,
            }
            for comparison in result.comparisons
        ],
        "search": result.search,
        "serve_command": result.serve_command,
    }


def report_markdown(result: QuickstartResult, settings: QuickstartSettings) -> str:
    """The whole report."""
    networks = settings.networks
    sections = (
        f"# Latency of networks on {result.target}",
        f"Made by `hyctas quickstart` on a small budget ({settings.budget_s:.0f} s of measuring): enough to see that "
        "it works, not the accuracy that more measurements give.\n"
        f"Networks of the HyCTAS space at {networks.height}x{networks.width}, base channels {networks.base_channels}, "
        f"{networks.head} head, batch {networks.batch}.",
        "## What was measured",
        _measured(result),
        "## How good the predictor is",
        accuracy(result),
        "## Asked over HTTP, then measured",
        "The model had never seen these networks; they were measured after it had answered.",
        comparison_table(result.comparisons),
        "## Searched over HTTP",
        searched(result, settings),
        "## Go on",
        _next_steps(result, settings),
    )
    return "\n\n".join(sections) + "\n"


def accuracy(result: QuickstartResult) -> str:
    """Scores on the held-out networks, beside the noise floor and the baselines."""
    evaluation = result.model["evaluation"]
    if evaluation is None:
        return "No held-out network was measured in time, so nothing can be said. Give it a larger `--budget-s`."
    named = [("**hyctas**", evaluation["scores"])]
    named += [(_BASELINES.get(name, name), scores) for name, scores in evaluation["baselines"].items()]
    header = ("predictor", "MAPE", "within 5 %", "within 10 %", "pairs in order", "Spearman")
    coverage, floor = evaluation["coverage"], result.model["noise_floor"]
    return (
        f"On {evaluation['scores']['networks']} networks measured in other processes:\n\n"
        f"{_table(header, (_scores(name, scores) for name, scores in named))}\n\n"
        f"Noise floor of the measurements themselves, between processes: {_percent(floor)}. "
        f"Intervals of nominally {coverage['nominal']:.0%} held {coverage['share']:.0%} "
        f"(95 % binomial interval {coverage['low']:.0%} to {coverage['high']:.0%}), "
        f"mean width {coverage['mean_width']:.1%}."
    )


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Predicted beside measured latencies."""
    header = ("network", "branches", "predicted ms", "interval ms", "measured ms", "error", "tier")
    return _table(header, map(_comparison, comparisons))


def searched(result: QuickstartResult, settings: QuickstartSettings) -> str:
    """The fronts of the search, predicted beside measured."""
    if result.search is None:
        return "No search was made; it needs the extra `search`."
    header = ("branches", "network", "mIoU", "predicted ms")
    rows = [
        (count, network["key"][:12], f"{network['miou']:.3f}", f"{network['latency_ms'][0]:.3f}")
        for count, front in result.search["fronts"].items()
        for network in front
    ]
    drift = result.search["drift"].get(result.target)
    measured = "None of them could be measured."
    if drift is not None:
        measured = (
            f"Measured afterwards, the {drift['networks']} networks were off by {drift['mape']:.1%} on average "
            f"(bias {drift['bias']:+.1%}); {drift['inversions']} of {drift['pairs']} pairs came in another order, and "
            f"{drift['coverage']:.0%} lay inside their interval of nominally {drift['nominal_coverage']:.0%}."
        )
    return (
        f"A supernet trained for minutes on drawn street scenes scored {result.search['evaluated']} networks; the "
        f"latency came from the server alone. The fronts, one for each number of branches (mIoU on the supernet):\n\n"
        f"{_table(header, rows)}\n\n{measured} The whole search, drawn: `{settings.search_report}`."
    )


def _comparison(comparison: Comparison) -> tuple[str, ...]:
    predicted = comparison.predicted
    measured = "-" if comparison.measured_s is None else f"{comparison.measured_s * 1e3:.3f}"
    if comparison.measured_s is not None and not comparison.stable:
        measured += " (unstable)"
    return (
        comparison.key[:12],
        str(comparison.branches),
        f"{predicted.latency_s * 1e3:.3f}",
        f"{predicted.low_s * 1e3:.3f} to {predicted.high_s * 1e3:.3f}",
        measured,
        "-" if comparison.error is None else f"{comparison.error:+.1%}",
        predicted.tier,
    )


def _scores(name: str, scores: Mapping[str, Any]) -> tuple[str, ...]:
    shares = (_percent(scores[figure]) for figure in ("mape", "within_5", "within_10", "pair_accuracy"))
    return (name, *shares, "-" if scores["spearman"] is None else f"{scores['spearman']:.3f}")


def _measured(result: QuickstartResult) -> str:
    header = ("step", "planned", "measured", "known before", "unstable", "failed", "left out", "seconds")
    steps = {
        "operators": result.operators,
        "networks to learn from": result.training,
        "networks to score on": result.held_out,
    }
    return _table(header, (_step(name, done) for name, done in steps.items()))


def _step(name: str, done: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (done["planned"], done["measured"], done["already_measured"], done["unstable"])
    return (name, *map(str, counts), str(sum(done["failed"].values())), str(done["remaining"]), f"{done['wall_s']:.0f}")


def _next_steps(result: QuickstartResult, settings: QuickstartSettings) -> str:
    common = f"--db {settings.database_url}"
    commands = (
        result.serve_command,
        f"hyctas measurements {common}",
        f"hyctas profile networks --count 200 --seed 4 --height {settings.networks.height} "
        f"--width {settings.networks.width} {common}",
        f"hyctas train --target {result.target} --out {settings.models} {common}",
    )
    listed = "\n".join(commands)
    return f"Serve this model again, look at the measurements, add more, and learn anew:\n\n```sh\n{listed}\n```"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as plain text too."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((padded[0], rule, *padded[1:]))


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"
