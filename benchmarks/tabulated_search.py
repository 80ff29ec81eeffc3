"""NSGA-II against random search, local search and single-objective evolution on an objective that costs nothing.

    python -m benchmarks.tabulated_search

mIoU and latency come from :class:`benchmarks.landscape.Landscape`, with other tables for every seed. All algorithms
begin with structured samples and have the same budget. Rates of mutation and crossover were chosen on landscapes with
other seeds (0 to 15) than those that are reported (1000 to 1009).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.landscape import Landscape
from hyctas.architecture import ArchitectureDefaults
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.evolution.algorithms import ALGORITHMS, AlgorithmName, EvolutionSettings, algorithm
from search.evolution.front import fronts_by_branches, hypervolume, reference_point

SPACE: Final = SearchSpace(depth=10)
NETWORKS: Final = ArchitectureDefaults(height=128, width=160, base_channels=8, classes=11)
REFERENCE_SAMPLES: Final = 500
"""Structured samples whose worst values set the reference point of a landscape."""
REPORTED_FIRST_SEED: Final = 1000
RESAMPLES: Final = 2000
HEADINGS: Final = (
    "",
    "to reach random's final hypervolume",
    "final hypervolume, random's = 1",
    "front sizes by branches",
)


@dataclass(frozen=True)
class Trace:
    """What one run scored, in order.

    Attributes:
        points: (evaluations, objectives).
        branches: Branch counts of the networks.
        reference: Up to which hypervolume counts.
    """

    points: npt.NDArray[np.float64]
    branches: tuple[int, ...]
    reference: npt.NDArray[np.float64]

    @cached_property
    def final(self) -> float:
        """Hypervolume of everything."""
        return hypervolume(self.points, self.reference)

    def evaluations_to(self, volume: float) -> float:
        """Evaluations after which the hypervolume is at least `volume`; infinite if it never is."""
        if self.final < volume:
            return math.inf
        low, high = 0, len(self.points)
        while high - low > 1:
            middle = (low + high) // 2
            reached = hypervolume(self.points[:middle], self.reference) >= volume
            low, high = (low, middle) if reached else (middle, high)
        return high

    @property
    def front_sizes(self) -> dict[int, int]:
        """Networks on the front of each branch count."""
        return {count: len(front) for count, front in fronts_by_branches(self.branches, self.points).items()}


def run(name: AlgorithmName, seed: int, evaluations: int, evolution: EvolutionSettings) -> Trace:
    """Search the landscape of a seed."""
    landscape = Landscape(seed)
    samples = sample_structured(SPACE, np.random.default_rng([seed, 1]), REFERENCE_SAMPLES, NETWORKS)
    reference = reference_point([score.minimised for score in landscape(samples)])
    searching = algorithm(name, SPACE, NETWORKS, evolution, np.random.default_rng([seed, 2]))
    points: list[tuple[float, ...]] = []
    branches: list[int] = []
    while len(points) < evaluations and not searching.exhausted:
        asked = searching.ask()
        scores = landscape(asked)
        searching.tell(asked, scores)
        points += [score.minimised for score in scores]
        branches += [len(architecture.branches) for architecture in asked]
    return Trace(np.array(points[:evaluations]), tuple(branches[:evaluations]), reference)


def main() -> None:
    """Run all algorithms on all landscapes at each budget, and print a table for each."""
    options = _options()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(f"landscapes {seeds[0]} to {seeds[-1]}, depth {SPACE.depth}, population {options.population}")
    for evaluations in options.evaluations:
        settings = EvolutionSettings.for_budget(options.population, evaluations)
        print(f"\n{evaluations} evaluations, of which the first {settings.samples} are samples")
        print(_row(HEADINGS))
        traces = {name: [run(name, seed, evaluations, settings) for seed in seeds] for name in ALGORITHMS}
        for name in ALGORITHMS:
            print(_line(name, traces[name], traces["random"]))


def _line(name: str, traces: Sequence[Trace], random: Sequence[Trace]) -> str:
    budget = len(random[0].points)
    needed = np.array([own.evaluations_to(other.final) for own, other in zip(traces, random, strict=True)])
    ratios = np.array([own.final / other.final for own, other in zip(traces, random, strict=True)])
    low, high = _interval(ratios)
    middle, worst = float(np.median(needed)), float(needed.max())
    effort = f"median {_needed(middle, budget)}, worst {_needed(worst, budget)}"
    volume = f"{ratios.mean():.3f} [{low:.3f}, {high:.3f}], least {ratios.min():.3f}"
    sizes = [np.mean([trace.front_sizes.get(count, 0) for trace in traces]) for count in (1, 2, 3)]
    return _row((name, effort, volume, " ".join(f"{size:.1f}" for size in sizes)))


def _needed(evaluations: float, budget: int) -> str:
    return f"{evaluations:.0f} ({evaluations / budget:.0%})" if math.isfinite(evaluations) else "never"


def _row(fields: tuple[str, str, str, str]) -> str:
    return "{:<8} {:<38} {:<36} {}".format(*fields)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the mean over landscapes, by bootstrap."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[240, 1000, 3000])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=REPORTED_FIRST_SEED)
    parser.add_argument("--population", type=int, default=24)
    return parser.parse_args()


if __name__ == "__main__":
    main()
