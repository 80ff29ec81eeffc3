"""Choices of supernet training side by side: single path or sandwich, recalibrated or shared statistics.

    python -m benchmarks.supernet_training --dataset camvid:DIR --seconds 420

Trains two supernets for an equal CPU time (the seconds of one step are measured first, interleaved, and decide how
many steps each makes) at 128x160 with 8 base channels and depth 10, and scores the same sampled networks on both:
mean mIoU with recalibrated batch norms after 5 and 20 batches, and with statistics that all networks share. One thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.batches import TrainingBatches
from search.datasets.catalogue import open_dataset
from search.datasets.dataset import Dataset
from search.evaluation.quality import Failure, Fidelity, SupernetQuality
from search.evaluation.running import running_statistics
from search.supernet.sizes import resized
from search.training.ranks import alone
from search.training.settings import PASSES, Passes, TrainingSettings
from search.training.supernet_passes import Draws
from search.training.supernet_training import SupernetJob, load_supernet, train_supernet

RESULTS: Final = Path(__file__).parent / "results" / "supernet_training"
SIZE: Final = (128, 160)
SPACE: Final = SearchSpace(depth=10)
PROBED_STEPS: Final = 6
SHARED_OVER: Final = 200
"""Networks that shared statistics are averaged over; the last ten weigh most."""


class Quiet:
    """Progress that nobody looks at."""

    def training(self, steps: int, done: int) -> None:
        """Say nothing."""

    def trained(self, loss: float) -> None:
        """Say nothing."""


def main() -> None:
    """Train both, score both."""
    options = _options()
    torch.set_num_threads(1)
    dataset = open_dataset(options.dataset)
    settings = ArchitectureDefaults(height=SIZE[0], width=SIZE[1], base_channels=8, classes=len(dataset.classes))
    sample = sample_structured(SPACE, np.random.default_rng(77), options.networks, settings)
    step_s = _step_seconds(dataset, settings)
    print(f"a sandwich step takes {step_s['sandwich'] / step_s['single']:.1f} times as long as a single one")
    print(f"{'passes':<10}{'steps':>7}{'5 batches':>11}{'20 batches':>12}{'shared':>9}")
    for passes in PASSES:
        steps = max(1, int(options.seconds / step_s[passes]))
        folder = RESULTS / f"{passes}-{steps}"
        _train(dataset, settings, _training(passes, steps), folder)
        means = [f"{value:.3f}" for value in _scores(dataset, folder, sample)]
        print(f"{passes:<10}{steps:>7}{means[0]:>11}{means[1]:>12}{means[2]:>9}", flush=True)


def _training(passes: Passes, steps: int) -> TrainingSettings:
    return TrainingSettings(
        steps=steps,
        height=SIZE[0],
        width=SIZE[1],
        optimiser="adamw",
        learning_rate=0.002,
        passes=passes,
        checkpoint_every=max(steps, 1),
    )


def _step_seconds(dataset: Dataset, settings: ArchitectureDefaults) -> dict[str, float]:
    """CPU seconds of a step of each kind, in turn; differences of two trainings leave out what setting up takes."""
    spent: dict[str, list[float]] = {passes: [] for passes in PASSES}
    for turn in range(2):
        for passes in PASSES:
            times = []
            for steps in (1, 1 + PROBED_STEPS):
                started_s = time.process_time()
                _train(dataset, settings, _training(passes, steps), RESULTS / f"probe-{passes}-{steps}-{turn}")
                times.append(time.process_time() - started_s)
            spent[passes].append((times[1] - times[0]) / PROBED_STEPS)
    return {passes: float(np.median(values)) for passes, values in spent.items()}


def _train(dataset: Dataset, settings: ArchitectureDefaults, training: TrainingSettings, folder: Path) -> None:
    train_supernet(SupernetJob(SPACE, settings, dataset, training, folder), rank=alone("cpu"), progress=Quiet())


def _scores(dataset: Dataset, folder: Path, sample: Sequence[Architecture]) -> tuple[float, float, float]:
    """Mean mIoU of a sample: recalibrated on 5 and on 20 batches, and with shared statistics."""
    trained = load_supernet(folder)
    supernet, training = trained.supernet, dataclasses.replace(trained.training, seed=1)
    draws = Draws(SPACE, dataclasses.replace(supernet.settings, batch=1), training)
    networks = (resized(draws.network(number), height=SIZE[0], width=SIZE[1]) for number in range(SHARED_OVER))
    batches = TrainingBatches(split=dataset.training, size=SIZE, batch_size=8, seed=1).starting_at(0)
    shared = SupernetQuality(supernet, dataset, SIZE, shared=running_statistics(supernet, networks, batches))
    own = SupernetQuality(supernet, dataset, SIZE)
    return (_mean(own, sample, 5), _mean(own, sample, 20), _mean(shared, sample, 5))


def _mean(quality: SupernetQuality, sample: Sequence[Architecture], batches: int) -> float:
    found = [quality(network, Fidelity(batches)) for network in sample]
    return float(np.mean([one.miou for one in found if not isinstance(one, Failure)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--seconds", type=float, default=420.0, help="CPU time of each training")
    parser.add_argument("--networks", type=int, default=12)
    return parser.parse_args()


if __name__ == "__main__":
    main()
