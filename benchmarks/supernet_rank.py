"""Does a supernet rank networks as training each of them alone does, and better than their size alone would?

``python -m benchmarks.supernet_rank --dataset camvid:DIR`` trains a supernet and twelve networks of their own (six
pairs of nearly equal size), all at 128x160 with 8 base channels and depth 10, and prints Kendall's tau between supernet
mIoU and alone mIoU with a bootstrap interval, beside the tau of multiply-accumulates. Everything lies in
``benchmarks/results/supernet_rank`` and goes on where it was stopped; ``--only`` runs one part, so that several can run
at once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import kendalltau

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.atomic import write_atomically
from search.batches import EvaluationBatches
from search.datasets.catalogue import open_dataset
from search.datasets.dataset import Dataset
from search.evaluation.quality import Failure, Fidelity, SupernetQuality, module_quality
from search.training.network_training import NetworkJob, train_network
from search.training.ranks import alone
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, load_supernet, train_supernet

RESULTS: Final = Path(__file__).parent / "results" / "supernet_rank"
SIZE: Final = (128, 160)
SPACE: Final = SearchSpace(depth=10)
SUPERNET_STEPS: Final = 4800
ALONE_STEPS: Final = 3000
SCORED_AT: Final = (0.5, 0.7, 0.85, 1.0)
"""Shares of the steps after which networks trained alone are scored: their order settled where it no longer changes."""
PAIRS: Final = 6
POOL: Final = 600
BOOTSTRAPS: Final = 2000


class Lines:
    """Progress as a line every so many steps."""

    def __init__(self, name: str) -> None:
        self._name, self._done, self._losses = name, 0, list[float]()

    def training(self, steps: int, done: int) -> None:
        """Training begins."""
        self._steps, self._done, self._started_s = steps, done, time.process_time()

    def trained(self, loss: float) -> None:
        """One more step."""
        self._done += 1
        self._losses.append(loss)
        if self._done % 200 == 0:
            spent_s = time.process_time() - self._started_s
            mean = np.mean(self._losses[-200:])
            print(f"{self._name}: step {self._done} of {self._steps}, loss {mean:.3f}, {spent_s:.0f} s CPU", flush=True)


def training(steps: int) -> TrainingSettings:
    """How everything here is trained; on a CPU with its instructions, bfloat16 takes three quarters of the time."""
    return TrainingSettings(
        steps=steps,
        precision="bf16",
        height=SIZE[0],
        width=SIZE[1],
        optimiser="adamw",
        learning_rate=0.002,
        checkpoint_every=max(200, steps // 6),
    )


def networks(settings: ArchitectureDefaults) -> list[Architecture]:
    """Pairs of nearly equal size and unlike structure, from small to large; no quality is looked at."""
    pool = sorted(sample_structured(SPACE, np.random.default_rng(2024), POOL, settings), key=network_macs)
    macs = np.array([network_macs(network) for network in pool], dtype=np.float64)
    wanted = np.exp(np.linspace(np.log(np.quantile(macs, 0.05)), np.log(np.quantile(macs, 0.95)), PAIRS))
    chosen: list[Architecture] = []
    for size in wanted:
        near = [a for a, own in zip(pool, macs, strict=True) if abs(own / size - 1) < 0.02 and a not in chosen]
        pair = max(itertools.combinations(near, 2), key=lambda both: _unlike(*both))
        chosen += pair
    return chosen


def _unlike(first: Architecture, second: Architecture) -> float:
    """How much the operators, and the number of branches, of two networks differ."""
    counts = []
    for network in (first, second):
        cells = [cell.op for branch in network.branches for cell in branch.cells]
        counts.append(np.array([cells.count(op) / len(cells) for op in SPACE.operators]))
    return float(np.abs(counts[0] - counts[1]).sum()) + abs(len(first.branches) - len(second.branches))


def train_alone(dataset: Dataset, network: Architecture, name: str, steps: int) -> dict[str, Any]:
    """Train one network, score it on the way and at the end, and keep all of it."""
    path = RESULTS / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    job = NetworkJob(network, dataset, training(steps), RESULTS / name)
    validation = EvaluationBatches(dataset.validation, SIZE, batch_size=8)
    scores = []
    for share in SCORED_AT:
        module = train_network(job, rank=alone("cpu"), progress=Lines(name), until=round(share * steps))
        scores.append(module_quality(module, validation, len(dataset.classes)).miou)
    result = {"key": network.key, "macs": network_macs(network), "scores": scores, "miou": scores[-1]}
    write_atomically(path, json.dumps(result).encode())
    return result


def train_each(
    dataset: Dataset, chosen: Sequence[Architecture], indices: Sequence[int], steps: int
) -> list[dict[str, Any]]:
    """Train several networks, one after the other; those that are done are read."""
    return [train_alone(dataset, chosen[index], f"alone{index:02}-{steps}", steps) for index in indices]


def supernet_scores(dataset: Dataset, chosen: Sequence[Architecture]) -> list[float]:
    """MIoU of each network on the supernet."""
    quality = SupernetQuality(load_supernet(RESULTS / "supernet").supernet, dataset, SIZE)
    found = [quality(network, Fidelity()) for network in chosen]
    return [float("nan") if isinstance(one, Failure) else one.miou for one in found]


def tau_interval(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float, float]:
    """Kendall's tau-b and its 95 % bootstrap interval over networks."""
    a, b = np.asarray(first), np.asarray(second)
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(a), size=len(a)) for _ in range(BOOTSTRAPS))
    taus = [kendalltau(a[draw], b[draw]).statistic for draw in draws]
    low, high = np.nanquantile(taus, (0.025, 0.975))
    return float(kendalltau(a, b).statistic), float(low), float(high)


def report(dataset: Dataset, chosen: Sequence[Architecture], steps: int) -> None:
    """Print the table and the correlations, and keep them."""
    alone_results = train_each(dataset, chosen, range(len(chosen)), steps)
    scores = supernet_scores(dataset, chosen)
    miou = [result["miou"] for result in alone_results]
    macs = [result["macs"] for result in alone_results]
    shares = "".join(f"{share:>8.0%}" for share in SCORED_AT)
    print(f"{'network':<14}{'branches':>9}{'MMACs':>8}{'supernet':>10}  alone after{shares} of {steps} steps")
    for network, result, score in zip(chosen, alone_results, scores, strict=True):
        on_the_way = "".join(f"{one:>8.3f}" for one in result["scores"])
        print(
            f"{network.key[:12]:<14}{len(network.branches):>9}{result['macs'] / 1e6:>8.0f}{score:>10.3f}"
            f"{'':>13}{on_the_way}"
        )
    lines = {
        "supernet against alone": tau_interval(scores, miou),
        "MACs against alone": tau_interval(macs, miou),
    }
    for place, share in enumerate(SCORED_AT[:-1]):
        earlier = [result["scores"][place] for result in alone_results]
        lines[f"alone at {share:.0%} of the steps against alone"] = tau_interval(earlier, miou)
    for name, (tau, low, high) in lines.items():
        print(f"Kendall tau, {name}: {tau:+.2f} ({low:+.2f} to {high:+.2f})")
    pairs = [(index, index + 1) for index in range(0, len(chosen), 2)]
    right = sum((scores[i] - scores[j]) * (miou[i] - miou[j]) > 0 for i, j in pairs)
    print(f"pairs of equal size in the right order: {right} of {len(pairs)}")
    document = {"alone": alone_results, "supernet": scores, "tau": lines, "pairs_right": right}
    write_atomically(RESULTS / "result.json", json.dumps(document, indent=1).encode())


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--only", choices=("supernet", "alone", "report"))
    parser.add_argument("--first", type=int, default=0, help="first network to train alone")
    parser.add_argument("--last", type=int, default=2 * PAIRS, help="where to stop")
    parser.add_argument("--alone-steps", type=int, default=ALONE_STEPS, help="steps of a network trained alone")
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset(given.dataset)
    settings = ArchitectureDefaults(height=SIZE[0], width=SIZE[1], base_channels=8, classes=len(dataset.classes))
    chosen = networks(settings)
    parts: dict[str, Callable[[], object]] = {
        "supernet": lambda: train_supernet(
            SupernetJob(SPACE, settings, dataset, training(SUPERNET_STEPS), RESULTS / "supernet"),
            rank=alone("cpu"),
            progress=Lines("supernet"),
        ),
        "alone": lambda: train_each(dataset, chosen, range(given.first, given.last), given.alone_steps),
        "report": lambda: report(dataset, chosen, given.alone_steps),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            part()


if __name__ == "__main__":
    main()
