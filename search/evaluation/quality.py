"""MIoU of networks, and of the candidates of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hyctas.architecture import Architecture
from hyctas.errors import InvalidInput
from hyctas.torch_form import GraphModule
from search.augmentation import Size
from search.batches import Batch, EvaluationBatches, fixed_batches
from search.datasets.dataset import Dataset
from search.evaluation.recalibration import recalibrate
from search.miou import Confusion
from search.supernet.deriving import derive
from search.supernet.sizes import resized, with_logits
from search.supernet.supernet import Supernet
from search.training.losses import resized_logits

Predict = Callable[[Tensor], Tensor]
"""From images (batch, 3, h, w) to logits (batch, classes, any stride)."""


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
        classified = resized_logits(logits.float(), batch.labels.shape[1:]).argmax(1)
        confusion.add(batch.labels.numpy(), classified.cpu().numpy())
    return Quality(confusion.miou, tuple(map(float, confusion.iou)))


def module_quality(module: GraphModule, batches: Iterable[Batch], classes: int) -> Quality:
    """MIoU of a network in eval mode; see :func:`segmentation_quality`."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        return segmentation_quality(lambda images: module(images.to(device)), batches, classes)


class SupernetQuality:
    """Evaluates candidates on slices of a supernet; a candidate's mIoU does not depend on others.

    Args:
        supernet: Trained parameters.
        dataset: Whose training images recalibrate, and whose validation images score.
        size: Height and width of the images.
        recalibration_size: Images in a batch of recalibration.
        batch_size: Images in a batch of validation.

    Raises:
        InvalidInput: The supernet's classes are not those of the data set.
    """

    def __init__(
        self, supernet: Supernet, dataset: Dataset, size: Size, *, recalibration_size: int = 16, batch_size: int = 8
    ) -> None:
        if supernet.settings.classes != len(dataset.classes):
            raise InvalidInput(
                "dataset", f"{dataset.name} with {len(dataset.classes)} classes", f"{supernet.settings.classes} classes"
            )
        self._supernet = supernet
        self._dataset = dataset
        self._size = size
        self._recalibration_size = recalibration_size
        self._batch_size = batch_size
        self._calibration: dict[int, Sequence[Batch]] = {}
        self._validation: dict[int | None, Sequence[Batch]] = {}

    def __call__(self, architecture: Architecture, fidelity: Fidelity) -> Quality | Failure:
        """Evaluate one candidate; one whose outputs are not finite is a failure.

        Raises:
            InvalidArchitecture: It is not of the supernet's space and settings.
        """
        module = self.network(architecture, fidelity.recalibration_batches)
        try:
            return module_quality(module, self._validation_batches(fidelity.images), len(self._dataset.classes))
        except FloatingPointError as error:
            return Failure(f"network {architecture.key[:12]}: {error}")

    def network(self, architecture: Architecture, recalibration_batches: int) -> GraphModule:
        """The candidate with slices of its own and recalibrated batch norms, in eval mode."""
        height, width = self._size
        sized = resized(with_logits(architecture), batch=1, height=height, width=width)
        module = derive(self._supernet, sized)
        recalibrate(module, self._calibration_batches(recalibration_batches))
        return module

    def _calibration_batches(self, count: int) -> Sequence[Batch]:
        if count not in self._calibration:
            self._calibration[count] = fixed_batches(
                self._dataset.training, self._size, self._recalibration_size, count
            )
        return self._calibration[count]

    def _validation_batches(self, images: int | None) -> Sequence[Batch]:
        if images not in self._validation:
            self._validation[images] = EvaluationBatches(
                self._dataset.validation, self._size, batch_size=self._batch_size, limit=images
            )
        return self._validation[images]
