"""NSGA-II against random search on the real objective: mIoU on a trained supernet, latency over HTTP.

    python -m benchmarks.real_search --dataset camvid:DIR --supernet FOLDER --target TARGET --url http://localhost:8000

Runs ``hyctas search`` for each seed with both algorithms and an equal number of evaluations, into
``benchmarks/results/real_search``, and prints for each seed the final hypervolumes up to one common reference point,
after how many evaluations NSGA-II reached what random search ended with, and the share of the time that was not spent
on evaluating networks. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from db.records import CandidateRecord
from db.repository import Repository
from search.evolution.front import hypervolume, reference_point

ALGORITHMS: Final = ("nsga2", "random")
NETWORKS: Final = ("--height", "128", "--width", "160", "--base-channels", "8", "--depth", "10")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """One search.

    Attributes:
        points: 1 - mIoU and log latency of each candidate, in the order of evaluation.
        spent_s: Seconds by activity.
    """

    points: Array
    spent_s: dict[str, float]


def main() -> None:
    """Run every search, then compare."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {(a, seed): _run(options, a, seed) for seed in range(options.seeds) for a in ALGORITHMS}
    reference = reference_point(np.concatenate([run.points for run in runs.values()]))
    print(f"{'seed':>4}{'nsga2':>10}{'random':>10}{'reached after':>16}{'of':>6}{'overhead':>10}")
    for seed in range(options.seeds):
        ours, other = runs["nsga2", seed], runs["random", seed]
        last = hypervolume(other.points, reference)
        reached = _reached(ours.points, last, reference)
        overhead = 1.0 - ours.spent_s["evaluation"] / sum(ours.spent_s.values())
        print(
            f"{seed:>4}{hypervolume(ours.points, reference):>10.4f}{last:>10.4f}"
            f"{'never' if reached is None else reached:>16}{len(other.points):>6}{overhead:>10.2%}"
        )


def _reached(points: Array, wanted: float, reference: Array) -> int | None:
    """After how many evaluations the hypervolume is `wanted`; None if never."""
    for count in range(1, len(points) + 1):
        if hypervolume(points[:count], reference) >= wanted:
            return count
    return None


def _run(options: argparse.Namespace, algorithm: str, seed: int) -> Run:
    """The search of an algorithm and a seed; made, or gone on with, where it is not finished."""
    db = f"sqlite:///{(options.out / f'{algorithm}-{seed}.db').resolve()}"
    with Repository.open(db) as repository:
        known = repository.search_runs()
    if not known:
        _hyctas("search", *_arguments(options, algorithm, seed), "--db", db)
    elif known[0].status != "finished":
        _hyctas("search", "--resume", str(known[0].id), "--url", options.url, "--db", db)
    with Repository.open(db) as repository:
        record = repository.search_runs()[0]
        candidates = repository.candidates(record.id)
    return Run(np.array([_point(candidate) for candidate in candidates]), dict(record.summary["spent_s"]))


def _arguments(options: argparse.Namespace, algorithm: str, seed: int) -> list[str]:
    folders = ["--supernet", str(options.supernet), "--out", str(options.out)]
    budget = ["--evaluations", str(options.evaluations), "--population", str(options.population)]
    chosen = ["--algorithm", algorithm, "--seed", str(seed), "--images", str(options.images)]
    where = ["--target", options.target, "--url", options.url, "--dataset", options.dataset]
    return [*where, *folders, *NETWORKS, *budget, *chosen]


def _point(candidate: CandidateRecord) -> tuple[float, float]:
    miou = 0.0 if candidate.miou is None else candidate.miou
    return 1.0 - miou, float(np.log(candidate.latencies[0].predicted_s))


def _hyctas(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "hyctas", *arguments], check=True, stdout=subprocess.DEVNULL)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--supernet", type=Path, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/real_search"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=144)
    parser.add_argument("--population", type=int, default=24)
    parser.add_argument("--images", type=int, default=34)
    return parser.parse_args()


if __name__ == "__main__":
    main()
