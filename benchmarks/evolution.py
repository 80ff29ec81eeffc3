"""Evolution alone, with an objective that costs next to nothing: what 10,000 candidates take, and how that grows.

    python -m benchmarks.evolution

Candidates are generated, told apart from all that were scored before, and sorted into niches and fronts, by one thread.
The time of the objective is left out. Phases: *samples* draws the first generation; *variation* is selection, crossover
and mutation, with proposals that turn out to be known; *duplicates* builds each new architecture and works out what
network it is; *sorting* is survival by ranks and crowding distances, and the archive.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from unittest import mock

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.space import SearchSpace
from search.evolution.algorithms import EvolutionSettings, algorithm
from search.evolution.branch_codes import Codes
from search.evolution.population import Collection
from search.evolution.scored import Score

SPACE: Final = SearchSpace(depth=16)
NETWORKS: Final = ArchitectureDefaults(height=256, width=512)
PHASES: Final = ("samples", "variation", "duplicates", "sorting")
POPULATION: Final = 100


def free_objective(architectures: Sequence[Architecture]) -> list[Score]:
    """Scores that conflict: more and later operators against wider and more cells."""
    return [_free_score(architecture) for architecture in architectures]


def _free_score(architecture: Architecture) -> Score:
    codes = b"".join(branch.code for branch in architecture.branches)
    worth = sum((code >> 4) * (1 + (position * 7 + code) % 5) for position, code in enumerate(codes))
    return Score((1.0 / (1.0 + worth), math.log(1 + sum(codes))))


class Clock:
    """Seconds by phase; a phase inside another one counts for itself only."""

    def __init__(self) -> None:
        self.spent_s = dict.fromkeys(PHASES, 0.0)
        self._inner_s = 0.0

    @contextmanager
    def on(self, phase: str) -> Iterator[None]:
        """Count what happens now for `phase`."""
        before_s, self._inner_s = self._inner_s, 0.0
        start = time.perf_counter()
        yield
        whole_s = time.perf_counter() - start
        self.spent_s[phase] += whole_s - self._inner_s
        self._inner_s = before_s + whole_s

    def timed(self, phase: str, function: Callable[[Collection, Codes], bool]) -> Callable[[Collection, Codes], bool]:
        """The function, whose calls count for `phase`."""

        def counted(collection: Collection, codes: Codes) -> bool:
            with self.on(phase):
                return function(collection, codes)

        return counted

    @property
    def total_s(self) -> float:
        """Seconds in all phases."""
        return sum(self.spent_s.values())


def evolve(candidates: int, population: int, seed: int = 0) -> tuple[Clock, float, int]:
    """Evolve so many candidates.

    Returns:
        Seconds by phase; then seconds to write the final state, and its bytes as JSON.
    """
    clock, told = Clock(), 0
    searching = algorithm(
        "nsga2", SPACE, NETWORKS, EvolutionSettings(population=population), np.random.default_rng(seed)
    )
    with mock.patch.object(Collection, "add", clock.timed("duplicates", Collection.add)):
        while told < candidates:
            with clock.on("variation" if told else "samples"):
                asked = searching.ask()
            scores = free_objective(asked)
            with clock.on("sorting"):
                searching.tell(asked, scores)
            told += len(asked)
    start = time.perf_counter()
    text = json.dumps(searching.state(), allow_nan=False)
    return clock, time.perf_counter() - start, len(text)


def main() -> None:
    """Print both tables."""
    options = _options()
    evolve(200, POPULATION)
    print(f"depth {SPACE.depth}, {SPACE.cardinality:.1e} architectures, one thread")
    print(_heading("candidates"))
    totals = []
    for candidates in options.candidates:
        totals.append(_report(candidates, candidates, options.population))
    if len(totals) > 1:
        exponent = np.polyfit(np.log(options.candidates), np.log(totals), 1)[0]
        print(f"time grows with the number of candidates to the power {exponent:.2f} (population {options.population})")
    print(_heading("population"))
    for population in options.populations:
        _report(population, options.fixed, population)


def _heading(first: str) -> str:
    phases = "".join(f"{phase:>12}" for phase in PHASES)
    return f"\n{first:>10} {'seconds':>9} {'ms each':>8}{phases} {'state written in':>18}"


def _report(label: int, candidates: int, population: int) -> float:
    clock, writing_s, size_bytes = evolve(candidates, population)
    shares = "".join(f"{seconds / clock.total_s:>12.0%}" for seconds in clock.spent_s.values())
    state = f"{writing_s * 1e3:.0f} ms, {size_bytes / 2**20:.1f} MiB"
    print(f"{label:>10} {clock.total_s:>9.2f} {clock.total_s / candidates * 1e3:>8.3f}{shares} {state:>18}", flush=True)
    return clock.total_s


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000])
    parser.add_argument("--population", type=int, default=POPULATION, help="population of the first table")
    parser.add_argument("--populations", type=int, nargs="+", default=[24, 100, 300, 1000])
    parser.add_argument("--fixed", type=int, default=10_000, help="candidates of the second table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
