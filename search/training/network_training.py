"""Training one network of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hyctas.architecture import Architecture
from hyctas.lowering import lower
from hyctas.torch_form import GraphModule, load_numpy, to_numpy
from hyctas.weights import initial_weights
from search.batches import TrainingBatches
from search.datasets.dataset import Dataset
from search.evaluation.layout import memory_format
from search.supernet.deriving import derive
from search.supernet.sizes import resized, with_logits
from search.supernet.supernet import Supernet
from search.training.losses import SegmentationLoss
from search.training.objective import segmentation_loss
from search.training.ranks import Rank
from search.training.settings import TrainingSettings
from search.training.trainer import PassLoss, Trained, Trainer, TrainingProgress


@dataclass(frozen=True, slots=True)
class NetworkJob:
    """A network to train.

    Attributes:
        architecture: Which; the classes are those of the data set, and its input size is that of deployment.
        dataset: What it learns from.
        training: How, and on crops of which size.
        folder: Where its checkpoint lies.
        start: Digest of the supernet whose slices it starts from; empty from scratch.
    """

    architecture: Architecture
    dataset: Dataset
    training: TrainingSettings
    folder: Path
    start: str = ""

    @property
    def trained_form(self) -> Architecture:
        """The network at the size of the training crops."""
        return resized(with_logits(self.architecture), batch=1, height=self.training.height, width=self.training.width)

    @property
    def identity(self) -> dict[str, Any]:
        """What its checkpoint belongs to."""
        return {
            "kind": "network",
            "architecture": self.trained_form.key,
            "training": asdict(self.training),
            "dataset": self.dataset.digest,
            "start": self.start,
        }


class OneNetwork:
    """Each step trains the same network."""

    def __init__(self, module: GraphModule, architecture: Architecture, loss: SegmentationLoss) -> None:
        self._module = module
        self._architecture = architecture
        self._loss = loss

    def losses(self, step: int, images: Tensor, labels: Tensor) -> Iterator[PassLoss]:
        """The segmentation loss."""
        outputs = self._module(images)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        yield PassLoss(self._architecture, self._loss(outputs, labels))


def train_network(
    job: NetworkJob,
    *,
    rank: Rank,
    progress: TrainingProgress,
    supernet: Supernet | None = None,
    until: int | None = None,
) -> GraphModule:
    """Train from wherever the folder's checkpoint stands, and return the network as it is deployed.

    Args:
        job: What to train.
        rank: On which device; several processes train supernets only.
        progress: Told how it goes on.
        supernet: Whose slices to start from; none starts from scratch.
        until: Stop after this step, if it is not the last.

    Raises:
        CheckpointMismatch: The folder holds a checkpoint of something else.
        TrainingDiverged: A loss or a gradient is not finite.
    """
    training, dataset = job.training, job.dataset
    module = _initial(job, supernet)
    module.to(rank.device, memory_format=memory_format(rank.device))
    batches = TrainingBatches(
        split=dataset.training,
        size=(training.height, training.width),
        batch_size=training.batch_size,
        seed=training.seed,
        workers=rank.loaders,
    )
    trained = Trained(module, job.identity, job.folder)
    passes = OneNetwork(module, job.trained_form, segmentation_loss(dataset, training, rank.device))
    Trainer(trained, passes, batches=batches, settings=training, rank=rank, progress=progress).run(until=until)
    return deployed(job.architecture, module)


def deployed(architecture: Architecture, trained: GraphModule) -> GraphModule:
    """The network without auxiliary heads at its own input size, with the weights of its training form."""
    weights = to_numpy(trained)
    graph = lower(with_logits(architecture))
    module = GraphModule(graph, {parameter.name: weights[parameter.name] for parameter in graph.parameters})
    module.eval()
    return module


def _initial(job: NetworkJob, supernet: Supernet | None) -> GraphModule:
    if supernet is not None:
        return derive(supernet, job.trained_form, training=True)
    graph = lower(job.trained_form, training=True)
    module = GraphModule(graph)
    load_numpy(module, initial_weights(graph, job.training.seed))
    return module
