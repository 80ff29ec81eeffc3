"""The bare evaluator on one thread: what encoding, summing and trees take, beside XGBoost and the whole prediction.

    python -m benchmarks.evaluator

A model of synthetic latencies, 200 boosted trees of depth 3. Each step is timed at one row and at 256, all steps in
turn, so that they see the same machine; ratios are medians over rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import numpy as np
import xgboost

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.correction import Boosting, Correction, correction_inputs, fit_correction
from predictor.encoding import Encoder
from predictor.learning import Latency
from predictor.model import Predictor
from predictor.part_table import PartTable
from predictor.samples import NetworkSample
from predictor.training import train

SIZES: Final = (1, 256)
TARGET: Final = "synthetic/onnxruntime-fp32-t1"
TRAINING: Final = 120
BOOSTING: Final = Boosting(rounds=200, depth=3, seed=0)
ROUND_S: Final = 0.05
"""Seconds that one step is repeated for, a round."""

Step = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A predictor whose correction is there, and that correction as XGBoost holds it."""

    predictor: Predictor
    correction: Correction
    booster: xgboost.Booster


def main() -> None:
    """Time every step and print its share of the whole."""
    options = _options()
    networks = _networks(max(SIZES), seed=2)
    evaluated = _trained()
    for size in SIZES:
        found = _timed(_steps(evaluated, networks[:size]), rounds=options.rounds)
        _print(size, found)


def _networks(count: int, *, seed: int) -> list[Architecture]:
    settings = ArchitectureDefaults(height=192, width=384)
    return list(sample_structured(SearchSpace(), np.random.default_rng(seed), count, settings))


def _trained() -> Evaluated:
    """A model of noisy synthetic latencies with a correction of fixed size, whether or not it would help."""
    rng = np.random.default_rng(0)
    networks = _networks(TRAINING, seed=1)
    samples = [NetworkSample(n, 1e-9 * network_macs(n) ** 0.8 * rng.lognormal(0.0, 0.01)) for n in networks]
    knowledge = train(TARGET, samples, [])
    prior = knowledge.latency.prior
    features = Predictor(knowledge, "benchmark").features(networks)
    log_ratio = np.log([sample.latency_s for sample in samples] / prior.latency_s(features))
    correction = fit_correction(correction_inputs(features, prior), log_ratio, BOOSTING)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(correction.booster))
    corrected = replace(knowledge, latency=Latency(prior, correction))
    return Evaluated(Predictor(corrected, "benchmark"), correction, booster)


def _steps(evaluated: Evaluated, networks: Sequence[Architecture]) -> Mapping[str, Step]:
    """What is timed, by name; inputs of later steps are worked out beforehand."""
    knowledge = evaluated.predictor.knowledge
    table = PartTable(knowledge.costs)
    encoder = Encoder(table.row_of)
    batch = encoder.encode(networks)
    inputs = correction_inputs(batch.sums(table.matrix), knowledge.latency.prior)
    narrow = inputs.astype(np.float32)
    return {
        "whole prediction": lambda: evaluated.predictor.predict_batch(networks),
        "encode": lambda: encoder.encode(networks),
        "sum and weigh": lambda: correction_inputs(batch.sums(table.matrix), knowledge.latency.prior),
        "trees": lambda: evaluated.correction.log_factor(inputs),
        "trees by XGBoost": lambda: evaluated.booster.inplace_predict(narrow),
    }


def _timed(steps: Mapping[str, Step], *, rounds: int) -> Mapping[str, list[float]]:
    """Seconds a call of each step, one number a round."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            seconds = _seconds_a_call(step)
            if number:  # the first round fills caches
                found[name].append(seconds)
    return found


def _seconds_a_call(step: Step) -> float:
    calls, start = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - start) < ROUND_S:
        step()
        calls += 1
    return elapsed_s / calls


def _print(rows: int, found: Mapping[str, Sequence[float]]) -> None:
    whole = found["whole prediction"]
    rate = rows / median(whole)
    print(f"{rows} row{'' if rows == 1 else 's'} a call: {rate:,.0f} architectures/s on one thread")
    for name, seconds in found.items():
        share = median(part / total for part, total in zip(seconds, whole, strict=True))
        print(f"  {name:<18} {median(seconds) / rows * 1e6:>8.2f} us a row {share:>7.1%}")
    ratio = median(own / other for own, other in zip(found["trees"], found["trees by XGBoost"], strict=True))
    print(f"  trees take {ratio:.2f} times as long as XGBoost's own")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    return parser.parse_args()


if __name__ == "__main__":
    main()
