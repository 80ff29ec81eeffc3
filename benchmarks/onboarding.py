"""How soon a new target is predicted well: with and without transfer, chosen and random, at equal networks and minutes.

    python -m benchmarks.onboarding --collect      # once: about 5 minutes a target
    python -m benchmarks.onboarding --report

Each target of the data set (:mod:`benchmarks.onboarding_data`) is the new one in turn, the others are known by the
same networks that the new one may be measured on. What is measured next is picked, and learned from, by the code of
``hyctas onboard``, from the data set instead of from the machine. Scored on the last 40 networks of the data set, which
nothing is picked from and no lender knows; how to borrow was chosen on the first 40. Minutes are
those that measuring took; where the curve says ``random``, operators are picked at random too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np

from benchmarks.onboarding_data import TARGETS, TargetData, collect, read_target, sampled_networks
from hyctas.architecture import Architecture
from hyctas.parts import Part
from predictor.evaluation import evaluate
from predictor.model import Predictor
from predictor.samples import NetworkSample, OperatorSample
from predictor.training import train
from predictor.transfer.lenders import Lender, learn_lender
from profiler.cli.onboarding.loop import BLOCK, FIRST_OPERATORS, LATER_OPERATORS
from profiler.cli.onboarding.operators import next_operators, operators_of
from profiler.cli.onboarding.picking import Pool, make_pool, next_block

HELD_OUT: Final = 40
STEPS: Final = (10, 20, 30, 50)
FOLDER: Final = Path("benchmarks/results/onboarding")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How well a target was predicted after some measurements."""

    target: str
    transfer: bool
    informed: bool
    seed: int
    networks: int
    operators: int
    minutes: float
    mape: float
    spearman: float
    coverage: float
    half_width: float | None


def main() -> None:
    """Collect, or report."""
    options = _options()
    if options.collect:
        collect(options.folder, options.targets)
    if options.report:
        outcomes = list(report(options.folder, options.targets, seeds=options.seeds))
        (options.folder / "report.json").write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


def report(folder: Path, targets: Sequence[str], *, seeds: int) -> Iterator[Outcome]:
    """Onboard each target in every way; prints a line for each way and step."""
    data = {target: read_target(folder, target) for target in targets}
    networks = [n for n in sampled_networks() if all(n.key in found.networks for found in data.values())]
    held_out, free = networks[-HELD_OUT:], networks[:-HELD_OUT]
    for found in data.values():
        noise = "unknown" if found.noise is None else f"{found.noise:.2%}"
        print(f"{found.target}: {len(found.networks)} networks, {len(found.operators)} operators, noise {noise}")
    print(f"{len(held_out)} networks are held out, {len(free)} may be measured; means over {seeds} seeds\n{_HEADER}")
    for target in targets:
        others = [found for name, found in data.items() if name != target]
        lenders = [learn_lender(d.target, d.network_samples(free), d.operator_samples) for d in others]
        for transfer in (True, False):
            for informed in (True, False):
                trial = Trial(data[target], free, held_out, lenders if transfer else [], informed)
                yield from _told([outcome for seed in range(seeds) for outcome in trial.run(seed)])


@dataclass(frozen=True, eq=False)
class Trial:
    """One way to onboard a target from its data.

    Attributes:
        data: What a measurement would give.
        free: Networks that may be measured.
        held_out: Networks to score on.
        lenders: Known targets; none without transfer.
        informed: Whether what teaches most is measured.
    """

    data: TargetData
    free: Sequence[Architecture]
    held_out: Sequence[Architecture]
    lenders: Sequence[Lender]
    informed: bool

    def run(self, seed: int) -> Iterator[Outcome]:
        """Measure block by block, and score after each of :data:`STEPS`."""
        rng = np.random.default_rng(seed)
        networks = [self.free[position] for position in rng.permutation(len(self.free))]
        pool = make_pool(networks, self.lenders)
        positions = {network.key: position for position, network in enumerate(networks)}
        shares = self._operator_shares(networks, rng)
        samples: list[NetworkSample] = []
        operators: list[Part] = []
        while len(samples) < STEPS[-1]:
            operators += self._operators(shares, operators, rng)
            samples += self._block(pool, {positions[sample.architecture.key] for sample in samples})
            if len(samples) in STEPS:
                yield self._score(seed, samples, operators)

    def _operator_shares(self, networks: Sequence[Architecture], rng: np.random.Generator) -> dict[Part, float]:
        """Those that the data set holds, in random order, by what they take of the networks."""
        parts = list(self.data.operators)
        found = operators_of(networks, self.lenders)
        return {parts[p]: found[parts[p]] for p in rng.permutation(len(parts)) if parts[p] in found}

    def _operators(self, shares: dict[Part, float], known: Sequence[Part], rng: np.random.Generator) -> list[Part]:
        count = LATER_OPERATORS if known else FIRST_OPERATORS
        if self.informed:
            return next_operators(shares, known, count)
        free = [part for part in self.data.operators if part not in set(known)]
        return [free[position] for position in rng.permutation(len(free))[:count]]

    def _block(self, pool: Pool, tried: set[int]) -> list[NetworkSample]:
        block = next_block(pool, tried, BLOCK, informed=self.informed)
        chosen = [
            NetworkSample(s.architecture, s.latency_s, calibrates=False)
            for s in self.data.network_samples(block.chosen)
        ]
        return [*self.data.network_samples(block.drawn), *chosen]

    def _score(self, seed: int, samples: Sequence[NetworkSample], operators: Sequence[Part]) -> Outcome:
        known = [OperatorSample(part, self.data.operators[part].latency_s) for part in operators]
        knowledge = train(self.data.target, samples, known, lenders=self.lenders, seed=seed)
        found = evaluate(Predictor(knowledge, "trial"), self.data.network_samples(self.held_out))
        seconds = sum(self.data.networks[sample.architecture.key].measuring_s for sample in samples)
        seconds += sum(self.data.operators[part].measuring_s for part in operators)
        intervals = knowledge.intervals
        return Outcome(
            self.data.target,
            bool(self.lenders),
            self.informed,
            seed,
            len(samples),
            len(operators),
            seconds / 60.0,
            found.scores.mape,
            found.scores.spearman,
            found.coverage.share,
            float(np.expm1(intervals.overall)) if intervals.calibrated else None,
        )


_HEADER: Final = (
    f"{'new target':<24}{'transfer':>9}{'picking':>9}{'networks':>9}{'operators':>10}{'minutes':>8}{'MAPE':>7}"
    f"{'worst':>7}{'Spearman':>9}{'coverage':>9}{'±':>7}"
)


def _told(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Print the means over seeds of each step."""
    for step in STEPS:
        print(_line([outcome for outcome in outcomes if outcome.networks == step]), flush=True)
    return outcomes


def _line(same: Sequence[Outcome]) -> str:
    first = same[0]
    mean: Mapping[str, float] = {
        name: fmean(float(getattr(outcome, name)) for outcome in same)
        for name in ("minutes", "mape", "spearman", "coverage", "operators")
    }
    widths = [outcome.half_width for outcome in same if outcome.half_width is not None]
    width = f"{fmean(widths):.1%}" if widths else "-"
    worst = max(outcome.mape for outcome in same)
    return (
        f"{first.target:<24}{'yes' if first.transfer else 'no':>9}{'chosen' if first.informed else 'random':>9}"
        f"{first.networks:>9}{mean['operators']:>10.0f}{mean['minutes']:>8.2f}{mean['mape']:>7.1%}{worst:>7.1%}"
        f"{mean['spearman']:>9.4f}{mean['coverage']:>9.0%}{width:>7}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="measure what the data set lacks")
    parser.add_argument("--report", action="store_true", help="print the curves")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if not options.collect and not options.report:
        parser.print_usage(sys.stderr)
        sys.exit(2)
    return options


if __name__ == "__main__":
    main()
