"""How often a night cries wolf, and what it finds: quiet nights of real processes, and slow-downs put into them.

    python -m benchmarks.nightly --collect --processes 150    # measures; about 10 s a process
    python -m benchmarks.nightly --report                     # judges; from what was collected

Each collected process measures the same canaries once, as a process of ``hyctas nightly`` does. A simulated night
takes its history, its first look and its second look from different processes, drawn at random or consecutive, and
goes through the flow of the command (:class:`profiler.nightly.night.NightRun`), its second look included. Printed are

- the share of quiet nights on which anything was called slower, with its 95 % interval (Clopper-Pearson), over nights
  drawn at random, and over consecutive processes in the order in which they ran, where drift of the machine is;
- how often a slow-down of 3, 5 and 10 % was found: of one operator (each in turn), of the whole machine (its references
  too), and of the runtime as a whole (references not), by how long the history is.

Nights share processes with one another, so the intervals are a little narrower than they look; no night shares one with
its own history.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
from scipy import stats

from benchmarks.nights.collection import collect, read
from benchmarks.nights.simulation import SlowDown, Stage, stage_of
from hyctas.target import parse_target
from profiler.device import device_facts, device_slug
from profiler.nightly.config import JudgingConfig
from profiler.nightly.report import TargetReport
from profiler.nightly.series import ALL_CANARIES, REFERENCE

FILE: Final = Path("benchmarks/results/nightly/processes.jsonl")
SHARES: Final = (0.03, 0.05, 0.10)
COMMON: Final = (ALL_CANARIES, REFERENCE)


def main() -> None:
    """Collect, or report on what was collected."""
    options = _options()
    if options.collect:
        target = parse_target(options.target, device=device_slug(device_facts()))
        for number, process in enumerate(collect(target, options.processes, options.file)):
            print(f"process {number + 1} of {options.processes}: {process.took_s:.1f} s", flush=True)
    if options.report or not options.collect:
        if not options.file.exists():
            print(f"{options.file} does not exist: nothing was collected; run with --collect first")
            return
        report(options)


def report(options: argparse.Namespace) -> None:
    """Print all figures."""
    processes = read(options.file)
    judging = JudgingConfig(
        false_alarms=options.false_alarms, witnesses=options.witnesses, second_look=options.second_look
    )
    for nights in options.history:
        stage = stage_of(processes, judging, nights)
        if stage.needed > len(processes):
            print(f"\nhistory of {nights} nights: needs {stage.needed} processes, {len(processes)} were collected")
            continue
        names = list(stage.target.names.values())
        print(
            f"\nhistory of {nights} nights, {judging.witnesses} processes a night, {judging.second_look} in a second "
            f"look; {len(processes)} processes, {len(names)} canaries, normalised by {stage.normaliser}, "
            f"stated false-alarm rate {judging.false_alarms:.1%} a night"
        )
        _print_quiet("quiet nights at random", _quiet(stage, _shuffled(stage, options.quiet, options.seed)))
        _print_quiet("quiet nights in a row", _quiet(stage, _consecutive(stage)))
        _print_power(stage, options)


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was said about quiet nights: whether anything was slower, and whether there was a second look."""

    alarms: Sequence[bool]
    looked_again: Sequence[bool]


def _quiet(stage: Stage, orders: Iterator[Sequence[int]]) -> Quiet:
    reports = [stage.night(order, SlowDown()) for order in orders]
    return Quiet([bool(found.slower) for found in reports], [bool(found.looked_again) for found in reports])


def _print_quiet(what: str, quiet: Quiet) -> None:
    low, high = interval(sum(quiet.alarms), len(quiet.alarms))
    print(
        f"{what}: {sum(quiet.alarms)} false alarms on {len(quiet.alarms)} nights, {fmean(quiet.alarms):.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}); a second look on {fmean(quiet.looked_again):.0%}"
    )


def _print_power(stage: Stage, options: argparse.Namespace) -> None:
    operators = [name for name in stage.target.names.values() if not name.startswith("network")]
    networks = [name for name in stage.target.names.values() if name.startswith("network")]
    print(f"{'found':<34}{''.join(f'{share:>8.0%}' for share in SHARES)}")
    found = {share: _found_operators(stage, share, options) for share in SHARES}
    for title, names in (("one operator, each in turn", operators), ("one network", networks)):
        if names:
            print(_row(title, [fmean(hit for name in names for hit in found[share][name]) for share in SHARES]))
    for name in (*operators, *networks):
        print(_row(f"  {name}", [fmean(found[share][name]) for share in SHARES]))
    for what in ("machine", "runtime"):
        shares = [_found_common(stage, SlowDown(what, share), options) for share in SHARES]
        print(_row(f"the whole {what}", shares))


def _row(title: str, shares: Sequence[float]) -> str:
    return f"{title[:40]:<42}{''.join(f'{share:>8.0%}' for share in shares)}"


def _found_operators(stage: Stage, share: float, options: argparse.Namespace) -> Mapping[str, Sequence[bool]]:
    """By canary, whether it was called slower on nights on which it was, and not only something else."""
    found: dict[str, list[bool]] = defaultdict(list)
    for number, name in enumerate(stage.target.names.values()):
        for order in _shuffled(stage, options.each, options.seed + 1 + number):
            night = stage.night(order, SlowDown("operator", share, name))
            found[name].append(name in _slower(night))
    return found


def _found_common(stage: Stage, slow_down: SlowDown, options: argparse.Namespace) -> float:
    """How often something that all have in common was called slower."""
    nights = [stage.night(order, slow_down) for order in _shuffled(stage, options.common, options.seed + 99)]
    return fmean(not _slower(night).isdisjoint(COMMON) for night in nights)


def _slower(night: TargetReport) -> frozenset[str]:
    return frozenset(verdict.series.name for verdict in night.slower)


def _shuffled(stage: Stage, nights: int, seed: int) -> Iterator[Sequence[int]]:
    rng = np.random.default_rng(seed)
    for _ in range(nights):
        yield rng.permutation(len(stage.processes))[: stage.needed].tolist()


def _consecutive(stage: Stage) -> Iterator[Sequence[int]]:
    """Every run of consecutive processes that is long enough: history first, then both looks."""
    for start in range(len(stage.processes) - stage.needed + 1):
        yield range(start, start + stage.needed)


def interval(hits: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a share (Clopper and Pearson)."""
    low = float(stats.beta.ppf(0.025, hits, tries - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(0.975, hits + 1, tries - hits)) if hits < tries else 1.0
    return low, high


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="measure, and append to --file")
    parser.add_argument("--report", action="store_true", help="judge what was collected")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--target", default="onnxruntime-fp32-t1")
    parser.add_argument("--processes", type=int, default=60)
    parser.add_argument("--history", type=int, nargs="+", default=[10, 20, 30], help="nights before each")
    parser.add_argument("--quiet", type=int, default=400, help="quiet nights at random")
    parser.add_argument("--each", type=int, default=20, help="nights for each slower canary and share")
    parser.add_argument("--common", type=int, default=100, help="nights for each slower machine or runtime")
    parser.add_argument("--false-alarms", type=float, default=JudgingConfig().false_alarms)
    parser.add_argument("--witnesses", type=int, default=JudgingConfig().witnesses)
    parser.add_argument("--second-look", type=int, default=JudgingConfig().second_look)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
