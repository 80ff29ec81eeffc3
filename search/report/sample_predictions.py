"""Sample segmentations of networks of a search, from its supernet and its data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
class SampleRequest:
    """Which images to segment, and with what.

    Attributes:
        images: Validation images, spread evenly over the split.
        recalibration_batches: Batches for the batch norms of each network.
        supernet: Folder of the trained supernet.
        sha256: Of its parameters as the search used them; None takes what is there.
        dataset: Name of the data set, as for :func:`search.datasets.catalogue.open_dataset`.
    """

    images: int
    recalibration_batches: int
    supernet: str
    sha256: str | None
    dataset: str


def sample_set(request: SampleRequest, networks: Sequence[Architecture]) -> SampleSet:
    """Segment a few validation images with each network, on slices of the supernet.

    Args:
        request: What to open.
        networks: Networks of the supernet's space.

    Raises:
        CheckpointMismatch: The supernet is not the one of the search, or learned from other images.
        DatasetError: The data set cannot be read.
        InvalidInput: Its classes are not those of the supernet.
    """
    trained = load_supernet(Path(request.supernet))
    dataset = open_dataset(request.dataset)
    _check(request, trained, dataset)
    size = (trained.training.height, trained.training.width)
    quality = SupernetQuality(trained.supernet, dataset, size)
    modules = [(network.key, quality.network(network, request.recalibration_batches)) for network in networks]
    batches = EvaluationBatches(dataset.validation, size, batch_size=1, limit=request.images)
    return SampleSet(dataset.classes, tuple(_samples(batches, modules)))


def supernet_sha256(folder: str) -> str:
    """SHA-256 over the parameters of a trained supernet.

    Raises:
        CheckpointMismatch: The folder holds none.
    """
    return load_supernet(Path(folder)).sha256


def _check(request: SampleRequest, trained: TrainedSupernet, dataset: Dataset) -> None:
    if request.sha256 is not None and trained.sha256 != request.sha256:
        raise CheckpointMismatch(
            f"the supernet in {request.supernet} has SHA-256 {trained.sha256[:12]}..., the search used "
            f"{request.sha256[:12]}..."
        )
    if trained.dataset != dataset.digest:
        raise CheckpointMismatch(f"the supernet in {request.supernet} learned from other images than {request.dataset}")


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
