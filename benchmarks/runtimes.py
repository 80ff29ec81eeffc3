"""Noise floor and operator count for every runtime here: the same operators on each CPU target of this machine.

    python -m benchmarks.runtimes --operators 120

A random sample of the operators of the space is measured twice on every target, under the full protocol, in blocks of
twelve. The targets take turns block by block, in random order and each in a process of its own, so that all of them see
the same machine. It keeps nothing. Printed are, for each target:

- how many operators gave a stable latency, and how many were unstable or failed in either pass;
- the noise floor between both passes, which are different processes, under the reference that lowers it most, and
  within one process (halves of the rounds of one measurement);
- operators a minute, starting processes and building engines included;
- its latency over that of the first target: the geometric mean over operators that both ran, block beside block.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

import numpy as np

from hyctas.architecture import ArchitectureDefaults
from hyctas.graph import Graph
from hyctas.measurement import NORMALISERS, Measurement, Normaliser, Protocol, Status
from hyctas.space import SearchSpace
from hyctas.target import Target, parse_target
from profiler.device import device_facts, device_slug
from profiler.noise import noise_floor, split_halves
from profiler.plan import plan_operators
from profiler.probe import missing_by_reason, probe_targets
from profiler.runtimes import CATALOGUE
from profiler.session import ProcessEnded, Session, SessionSettings

PASSES: Final = 2
BLOCK: Final = 12
STOPPING: Final[Normaliser] = "compute"
"""The reference of the stopping rule; which one is best for a target is what this finds out."""


def main() -> None:
    """Measure and print the table."""
    options = _options()
    targets = _targets(options.targets, options.threads)
    operators = _sample(options)
    print(
        f"{len(operators)} operators at {options.height}x{options.width}, base channels {options.base_channels}, "
        f"on {targets[0].device}"
    )
    protocol = Protocol(max_rounds=options.rounds)
    results = [Results(target, protocol, ("ok", "unstable") if options.unstable else ("ok",)) for target in targets]
    rng = np.random.default_rng(options.seed)
    for block in _blocks(operators):
        for number in range(PASSES):
            for position in map(int, rng.permutation(len(results))):
                results[position].measure(block, seed=int(rng.integers(2**31)), number=number)
    _print_table(results, len(operators))


@dataclass
class Results:
    """What one target gave.

    Attributes:
        target: The target.
        protocol: How it is measured.
        accepted: Which results count for noise floors and latencies.
        passes: Measurements by name of the operator, of each pass.
        wall_s: Time of its processes.
        failures: How often which failure came.
    """

    target: Target
    protocol: Protocol
    accepted: tuple[Status, ...]
    passes: tuple[dict[str, Measurement], ...] = field(default_factory=lambda: tuple({} for _ in range(PASSES)))
    wall_s: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    def measure(self, block: Mapping[str, Graph], *, seed: int, number: int) -> None:
        """Measure a block in a process of its own; what that process does not live to tell is missing."""
        begun_s = time.perf_counter()
        try:
            with Session(SessionSettings(self.target, self.protocol, STOPPING, seed)) as session:
                for outcome in session.measure(block):
                    self.passes[number][outcome.name] = Measurement(
                        outcome.name,
                        self.target,
                        outcome.rounds,
                        session.call_floor_s,
                        self.protocol,
                        session.environment,
                        failure=outcome.failure,
                    )
                    if outcome.failure is not None:
                        self.failures[f"{outcome.failure.kind}: {outcome.failure.message}"] += 1
        except ProcessEnded as ended:
            self.failures[f"{ended.kind}: {ended}"] += 1
        self.wall_s += time.perf_counter() - begun_s

    @property
    def counted(self) -> Mapping[str, tuple[Measurement, ...]]:
        """Measurements of the operators that have an accepted result in every pass, by name."""
        found = {name: tuple(run[name] for run in self.passes if name in run) for name in self.passes[0]}
        return {
            name: runs
            for name, runs in found.items()
            if len(runs) == PASSES and all(run.status(STOPPING) in self.accepted for run in runs)
        }

    @property
    def stable(self) -> int:
        """How many operators were stable in every pass."""
        return sum(all(run.status(STOPPING) == "ok" for run in runs) for runs in self.counted.values())

    @property
    def unstable(self) -> int:
        """How many operators ran but were unstable in a pass."""
        names = {name for run in self.passes for name, one in run.items() if one.status(STOPPING) == "unstable"}
        return len(names)

    @property
    def per_minute(self) -> float:
        """Measurements a minute, failed ones included."""
        return sum(map(len, self.passes)) / self.wall_s * 60.0

    def floor(self) -> tuple[float, Normaliser]:
        """The noise floor between passes under the best normaliser, and which that is."""
        floors = [(self._floor_under(normaliser), normaliser) for normaliser in NORMALISERS]
        return min(floors, key=lambda floor: floor[0])

    def floor_within(self, normaliser: Normaliser) -> float:
        """The noise floor within one process."""
        halves = (split_halves(run, normaliser) for runs in self.counted.values() for run in runs)
        return _or_nan(noise_floor(pair for pair in halves if pair is not None))

    def latency(self, name: str) -> float:
        """Latency of an operator in units of the compute-bound reference, which is the same for every target."""
        return fmean(_ratio(run, STOPPING) for run in self.counted[name])

    def _floor_under(self, normaliser: Normaliser) -> float:
        pairs = [(_ratio(first, normaliser), _ratio(second, normaliser)) for first, second in self.counted.values()]
        return _or_nan(noise_floor(pairs))


def _ratio(measurement: Measurement, normaliser: Normaliser) -> float:
    return float(np.median(measurement.ratios(normaliser)))


def _or_nan(floor: float | None) -> float:
    return math.nan if floor is None else floor


def _print_table(results: Sequence[Results], count: int) -> None:
    first = results[0]
    header = f"{'target':<28} {'stable':>9} {'unstable':>8} {'failed':>6} {'noise floor':>20} {'within':>7}"
    print(f"{header} {'a minute':>8} {'latency':>8}")
    for one in results:
        floor, normaliser = one.floor()
        common = first.counted.keys() & one.counted.keys()
        ratio = math.exp(fmean(math.log(one.latency(n) / first.latency(n)) for n in common)) if common else math.nan
        print(
            f"{one.target.local_name:<28} {one.stable:>4}/{count:<4} {one.unstable:>8} "
            f"{sum(one.failures.values()):>6} {floor:>10.2%} ({normaliser:<7}) {one.floor_within(normaliser):>7.2%} "
            f"{one.per_minute:>8.1f} {ratio:>7.2f}x"
        )
    for one in results:
        for reason, times in one.failures.items():
            print(f"{one.target.local_name}: {times} x {reason}")


def _sample(options: argparse.Namespace) -> Mapping[str, Graph]:
    """Operators of the space, drawn at random, by a name that is theirs alone."""
    settings = ArchitectureDefaults(height=options.height, width=options.width, base_channels=options.base_channels)
    plan = plan_operators(SearchSpace(), settings)
    chosen = np.random.default_rng(options.seed).permutation(len(plan))[: options.operators]
    return {plan[position].key: plan[position].workload.graph for position in chosen}


def _blocks(operators: Mapping[str, Graph]) -> Iterator[Mapping[str, Graph]]:
    names = list(operators)
    for start in range(0, len(names), BLOCK):
        yield {name: operators[name] for name in names[start : start + BLOCK]}


def _targets(names: Sequence[str], threads: int) -> list[Target]:
    """The named targets, or every CPU target that can be measured here; says what cannot and why."""
    device = device_slug(device_facts())
    if names:
        return [parse_target(name, device=device) for name in names]
    probed = [found for found in probe_targets(device, None, CATALOGUE) if not found.target.on_gpu]
    for reason, missing in missing_by_reason(probed).items():
        print(f"not here: {', '.join(target.local_name for target in missing)}: {reason}")
    here = [found.target.local_name for found in probed if found.reason is None]
    return [parse_target(name.replace("-t1", f"-t{threads}"), device=device) for name in here]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--base-channels", type=int, default=12)
    parser.add_argument("--operators", type=int, default=60, help="operators to measure")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=Protocol().max_rounds, help="most rounds of an operator")
    parser.add_argument("--unstable", action="store_true", help="let unstable results count, on a busy machine")
    parser.add_argument("targets", nargs="*", help="such as openvino-fp32-t1; every CPU target here by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
