"""The front by prediction against the front by measuring everything.

    python -m benchmarks.front_by_prediction

A space small enough to measure whole: a fixed sample of networks stands for it. Quality is tabulated (no network is
trained): a saturating function of multiply-accumulates and parameters with seeded noise. *Measuring everything*: the
front of measured latency and quality. *By prediction*: a predictor learns from a few random networks of the same
space, predicts all the others, and only its front is measured. Printed, for several sizes of the training sample:
the share of the true front's hypervolume that is kept at measured latencies, how many times fewer measurements that
took, and how many of the front's intervals held, before and after refitting on half of the front (the other half
is what is counted). Everything is measured once, in ``benchmarks/results/front``; nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.costs import costs
from hyctas.lowering import lower
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.model import Predictor
from predictor.samples import NetworkSample
from predictor.training import train
from search.evolution.front import hypervolume, pareto_front, reference_point

TARGET: Final = "onnxruntime-fp32-t1"
SPACE: Final = SearchSpace(depth=8)
SETTINGS: Final = ArchitectureDefaults(height=96, width=192, base_channels=8, classes=8)
TRAINING: Final = (20, 40, 80)
SEEDS: Final = 10

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Space:
    """Every network of the sample, with what is known of it.

    Attributes:
        networks: The networks.
        error: 1 - quality of each.
        latency_s: Measured latency of each.
    """

    networks: tuple[Architecture, ...]
    error: Array
    latency_s: Array

    def points(self, chosen: npt.NDArray[np.intp], latency_s: Array | None = None) -> Array:
        """Objectives of some networks, at measured or at the given latencies of all."""
        latency = self.latency_s if latency_s is None else latency_s
        return np.column_stack([self.error[chosen], np.log(latency[chosen])])


@dataclass(frozen=True, slots=True)
class Outcome:
    """One predictor's front."""

    kept: float
    measurements: int
    covered: float
    covered_refitted: float


def main() -> None:
    """Measure what is missing, then compare."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    space = _space(options.out, options.count)
    everything = np.arange(len(space.networks))
    print(f"{len(space.networks)} networks; the true front has {len(pareto_front(space.points(everything)))}")
    print(f"{'trained on':>10}{'hypervolume kept':>28}{'times fewer':>13}{'intervals held':>16}{'refitted':>10}")
    for count in TRAINING:
        found = [_by_prediction(space, count, seed) for seed in range(SEEDS)]
        kept = np.array([outcome.kept for outcome in found])
        fewer = np.mean([len(space.networks) / outcome.measurements for outcome in found])
        before, after = (np.mean([getattr(o, name) for o in found]) for name in ("covered", "covered_refitted"))
        print(f"{count:>10}{np.mean(kept):>14.2%} (worst {kept.min():.2%}){fewer:>13.1f}{before:>16.0%}{after:>10.0%}")


def _by_prediction(space: Space, count: int, seed: int) -> Outcome:
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(len(space.networks))
    known = [NetworkSample(space.networks[i], float(space.latency_s[i])) for i in order[:count]]
    predicted = Predictor(train(TARGET, known, [], seed=seed), model_id="benchmark")
    answers = predicted.predict(space.networks)
    latency_s = np.array([answer.latency_s for answer in answers])
    latency_s[order[:count]] = space.latency_s[order[:count]]
    everything = np.arange(len(space.networks))
    front = pareto_front(space.points(everything, latency_s))
    reference = reference_point(space.points(everything))
    whole = hypervolume(space.points(everything), reference)
    unseen = np.setdiff1d(front, order[:count])
    refit, counted = np.array_split(rng.permutation(unseen), 2)
    more = [NetworkSample(space.networks[i], float(space.latency_s[i]), calibrates=False) for i in refit]
    again = Predictor(train(TARGET, [*known, *more], [], seed=seed), model_id="refitted")
    refitted = again.predict([space.networks[i] for i in counted])
    return Outcome(
        kept=hypervolume(space.points(front), reference) / whole,
        measurements=count + len(unseen),
        covered=_covered([answers[i] for i in counted], space.latency_s[counted]),
        covered_refitted=_covered(refitted, space.latency_s[counted]),
    )


def _covered(answers: Sequence[object], latency_s: Array) -> float:
    inside = [a.low_s <= s <= a.high_s for a, s in zip(answers, latency_s, strict=True)]  # type: ignore[attr-defined]
    return float(np.mean(inside)) if inside else math.nan


def _space(out: Path, count: int) -> Space:
    """The sample with its latencies, measured now where that is missing; what did not settle is left out, and told."""
    sample = sample_structured(SPACE, np.random.default_rng(11), count, SETTINGS)
    path, db = out / "networks.jsonl", f"sqlite:///{(out / 'front.db').resolve()}"
    path.write_text("".join(json.dumps(to_json(network)) + "\n" for network in sample))
    command = [sys.executable, "-m", "hyctas", "profile", "networks", "--from", str(path), "--target", TARGET]
    subprocess.run([*command, "--db", db, "--repeats", "24"], check=True)
    with Repository.open(db, create=False) as repository:
        rows = repository.network_latencies(repository.target_named(TARGET))
    found = {row.architecture_key: row.latency_s for _, row in rows if row.latency_s is not None}
    measured = [network for network in sample if network.key in found]
    print(f"{len(sample) - len(measured)} of {len(sample)} networks did not settle and are left out")
    return Space(tuple(measured), _errors(measured), np.array([found[network.key] for network in measured]))


def _errors(networks: Sequence[Architecture]) -> Array:
    """1 - a tabulated quality: saturating in multiply-accumulates and parameters, with noise that size cannot tell."""
    totals = [costs(lower(network)) for network in networks]
    size = np.array([[math.log(total.macs), math.log(total.parameters)] for total in totals])
    scaled = (size - size.mean(axis=0)) / size.std(axis=0)
    noise = np.random.default_rng(5).normal(0.0, 0.03, len(networks))
    return np.asarray(1.0 - (0.55 + 0.12 * np.tanh(scaled @ np.array([0.6, 0.4])) + noise))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/front"))
    parser.add_argument("--count", type=int, default=320, help="networks that stand for the space")
    return parser.parse_args()


if __name__ == "__main__":
    main()
