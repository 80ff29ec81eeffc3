"""Sample segmentations of networks of a search, from its supernet and its data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch
from hyctas.torch_form import GraphModule
from search.batches import EvaluationBatches
from search.datasets.catalogue import open_dataset
from search.datasets.dataset import Dataset
from search.evaluation.quality import SupernetQuality, classified
from search.normalisation import colours
from search.report.samples import SampleSet, SegmentationSample
from search.training.supernet_training import TrainedSupernet, load_supernet


@dataclass(frozen=True, slots=True)
class SampleSource:
    """The supernet of a search, and the data set that it learned from.

    Attributes:
        trained: The supernet.
        dataset: The data set.
    """

    trained: TrainedSupernet
    dataset: Dataset


def open_source(supernet: str, dataset: str, *, sha256: str | None) -> SampleSource:
    """Open what a search worked with.

    Args:
        supernet: Folder of the trained supernet.
        dataset: Name of the data set, as for :func:`search.datasets.catalogue.open_dataset`.
        sha256: Of the supernet's parameters as the search used them; None takes what is there.

    Raises:
        CheckpointMismatch: The supernet is not there, is another one, or learned from other images.
        DatasetError: The data set cannot be read.
    """
    trained = load_supernet(Path(supernet))
    if sha256 is not None and trained.sha256 != sha256:
        raise CheckpointMismatch(
            f"the supernet in {supernet} has SHA-256 {trained.sha256[:12]}..., the search used {sha256[:12]}..."
        )
    opened = open_dataset(dataset)
    if trained.dataset != opened.digest:
        raise CheckpointMismatch(f"the supernet in {supernet} learned from other images than those of {dataset}")
    return SampleSource(trained, opened)


def sample_set(
    source: SampleSource,
    networks: Sequence[Architecture],
    *,
    images: int,
    recalibration_batches: int,
    said: Callable[[str], None] = lambda line: None,
) -> SampleSet:
    """Segment validation images with networks on slices of the supernet.

    Args:
        source: Supernet and data set.
        networks: Networks of the supernet's space.
        images: How many images, spread evenly over the split.
        recalibration_batches: Batches for the batch norms of each network.
        said: Told in a line how it goes on.
    """
    dataset, training = source.dataset, source.trained.training
    size = (training.height, training.width)
    quality = SupernetQuality(source.trained.supernet, dataset, size)
    modules = []
    for position, network in enumerate(networks, start=1):
        said(f"preparing network {position} of {len(networks)} for sample segmentations")
        modules.append((network.key, quality.network(network, recalibration_batches)))
    batches = EvaluationBatches(dataset.validation, size, batch_size=1, limit=images)
    return SampleSet(dataset.classes, tuple(_samples(batches, modules)))


def _samples(batches: EvaluationBatches, modules: Sequence[tuple[str, GraphModule]]) -> Iterator[SegmentationSample]:
    for batch, index in zip(batches, batches.indices, strict=True):
        image, labels = colours(batch.images[0].numpy()), batch.labels[0].numpy().astype(np.uint8)
        for key, module in modules:
            with torch.inference_mode():
                predicted = classified(module(batch.images), labels.shape)[0]
            yield SegmentationSample(
                architecture_key=key,
                name=batches.split[index].name,
                image=image,
                labels=labels,
                predicted=predicted.numpy().astype(np.uint8),
            )
