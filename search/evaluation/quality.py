"""MIoU of networks, and of the candidates of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from hyctas.architecture import Architecture
from hyctas.errors import InvalidInput
from hyctas.torch_form import GraphModule
from search.batches import Batch, EvaluationBatches, fixed_batches
from search.datasets.dataset import Dataset
from search.evaluation.layout import images_per_batch, memory_format
from search.evaluation.recalibration import recalibrate
from search.evaluation.running import RunningStatistics
from search.miou import Confusion
from search.resampling import Size
from search.supernet.deriving import derive
from search.supernet.sizes import resized, with_logits
from search.supernet.supernet import Supernet
from search.training.losses import resized_logits

RECALIBRATION_IMAGES: Final = 16
"""Images in a batch of recalibration, where they are small enough."""

Predict = Callable[[Tensor], Tensor]
"""From images (batch, 3, h, w) to logits (batch, classes, any stride), or to class ids (batch, 1, height, width)."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a network segments.

    Attributes:
        miou: Mean intersection over union, 0 to 1.
        class_iou: That of each class; NaN where it neither occurs nor was predicted.
    """

    miou: float
    class_iou: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a candidate has no quality."""

    message: str


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How carefully a candidate is evaluated.

    Attributes:
        recalibration_batches: Batches for its batch norms.
        images: Validation images, spread evenly; None takes all.
    """

    recalibration_batches: int = 5
    images: int | None = None


def segmentation_quality(predict: Predict, batches: Iterable[Batch], classes: int) -> Quality:
    """MIoU of what `predict` says, at the size of the labels.

    Raises:
        FloatingPointError: A logit is not finite.
        DatasetError: No pixel is labelled.
    """
    confusion = Confusion(classes)
    for batch in batches:
        logits = predict(batch.images)
        if not torch.isfinite(logits).all():
            raise FloatingPointError("the logits are not all finite")
        confusion.add(batch.labels.numpy(), classified(logits, batch.labels.shape[1:]).cpu().numpy())
    return Quality(confusion.miou, tuple(map(float, confusion.iou)))


def classified(logits: Tensor, size: Sequence[int]) -> Tensor:
    """The class of each pixel at a (height, width), (batch, height, width); class ids are what they are.

    Channels last, where the most likely class is found in a fifth of the time.
    """
    if not logits.is_floating_point():
        return logits[:, 0]
    return resized_logits(logits.float().contiguous(memory_format=torch.channels_last), size).argmax(1)


def module_quality(module: GraphModule, batches: Iterable[Batch], classes: int) -> Quality:
    """MIoU of a network in eval mode; see :func:`segmentation_quality`."""
    device = next(module.parameters()).device
    layout = memory_format(device)
    with torch.inference_mode():
        return segmentation_quality(lambda images: module(images.to(device, memory_format=layout)), batches, classes)


class SupernetQuality:
    """Evaluates candidates on slices of a supernet; a candidate's mIoU does not depend on others.

    On a CPU it runs plain torch, channels last, in batches of :data:`search.evaluation.layout.BATCH_PIXELS`: as fast
    as anything for one candidate. Folding the batch norms would save 4 % of the validation pass, and ONNX Runtime's
    session costs what its faster runs save (``benchmarks/candidate_evaluation.py``).

    Args:
        supernet: Trained parameters.
        dataset: Whose training images recalibrate, and whose validation images score.
        size: Height and width of the images.
        shared: Statistics of the batch norms that all candidates share, to compare with; each candidate has its own
            recalibrated unless given.

    Raises:
        InvalidInput: The supernet's classes are not those of the data set.
    """

    def __init__(
        self, supernet: Supernet, dataset: Dataset, size: Size, *, shared: RunningStatistics | None = None
    ) -> None:
        if supernet.settings.classes != len(dataset.classes):
            raise InvalidInput(
                "dataset", f"{dataset.name} with {len(dataset.classes)} classes", f"{supernet.settings.classes} classes"
            )
        self._supernet = supernet
        self._dataset = dataset
        self._size = size
        self._shared = shared
        self._calibration: dict[int, Sequence[Batch]] = {}
        self._validation: dict[int | None, Sequence[Batch]] = {}

    def __call__(self, architecture: Architecture, fidelity: Fidelity) -> Quality | Failure:
        """Evaluate one candidate; one whose outputs are not finite, or that does not fit into memory, is a failure.

        Raises:
            InvalidArchitecture: It is not of the supernet's space and settings.
        """
        try:
            module = self.network(architecture, fidelity.recalibration_batches)
            return module_quality(module, self._validation_batches(fidelity.images), len(self._dataset.classes))
        except FloatingPointError as error:
            return Failure(f"network {architecture.key[:12]}: {error}")
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            return Failure(f"network {architecture.key[:12]} does not fit into memory: {error}")

    def network(self, architecture: Architecture, recalibration_batches: int) -> GraphModule:
        """The candidate with slices of its own and its statistics, in eval mode."""
        height, width = self._size
        sized = resized(with_logits(architecture), batch=1, height=height, width=width)
        module = derive(self._supernet, sized)
        module.to(memory_format=memory_format(next(module.parameters()).device))
        if self._shared is not None:
            self._shared.apply(module, sized)
        else:
            recalibrate(module, self._calibration_batches(recalibration_batches))
        return module

    def _calibration_batches(self, count: int) -> Sequence[Batch]:
        if count not in self._calibration:
            images = min(RECALIBRATION_IMAGES, images_per_batch(*self._size, least=4))
            self._calibration[count] = fixed_batches(self._dataset.training, self._size, images, count)
        return self._calibration[count]

    def _validation_batches(self, images: int | None) -> Sequence[Batch]:
        if images not in self._validation:
            self._validation[images] = EvaluationBatches(
                self._dataset.validation, self._size, batch_size=images_per_batch(*self._size), limit=images
            )
        return self._validation[images]


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; on a CPU torch has no exception of its own for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
