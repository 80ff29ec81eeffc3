"""MIoU of a trained network at each precision that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import torch

from hyctas.errors import SearchError
from hyctas.target import PRECISIONS
from hyctas.torch_form import GraphModule
from search.augmentation import Size
from search.batches import Batch, EvaluationBatches, fixed_batches
from search.datasets.dataset import Dataset
from search.evaluation.layout import images_per_batch
from search.evaluation.quality import Quality, module_quality, segmentation_quality
from search.retraining.emulation import HALF_FORMATS, Emulated, NumberFormat
from search.retraining.plan import FP32
from search.retraining.quantisation import calibrated_int8

CALIBRATION_IMAGES: Final = 64
Item = TypeVar("Item")


class ScoringProgress(Protocol):
    """Told how scoring goes on."""

    def phase(self, name: str, total: int) -> None:
        """Something begins that has so many steps."""

    def step(self) -> None:
        """One more of them is done."""


@dataclass(frozen=True, slots=True)
class PrecisionQuality:
    """How well a network segments at a precision.

    Attributes:
        precision: Such as ``int8``.
        quality: None where it was not evaluated, or could not be.
        note: How it was found, or why not.
    """

    precision: str
    quality: Quality | None
    note: str

    @property
    def emulated(self) -> bool:
        """Whether float32 arithmetic stood in for that of the precision."""
        return self.precision != FP32 and self.quality is not None


class Scoring:
    """Scores networks on the validation images of a data set, on the CPU as ONNX Runtime does.

    Args:
        dataset: Whose validation images score, and whose training images calibrate.
        images: At most this many validation images; None takes all.
        progress: Told how it goes on.
    """

    def __init__(self, dataset: Dataset, images: int | None, progress: ScoringProgress) -> None:
        self._dataset = dataset
        self._images = images
        self._progress = progress

    @property
    def images(self) -> int:
        """Validation images that are looked at."""
        found = len(self._dataset.validation)
        return found if self._images is None else min(found, self._images)

    def batches(self, size: Size, what: str, *, batch_size: int | None = None) -> Iterator[Batch]:
        """The validation images, with progress; as many at a time as are fast unless told otherwise."""
        batches = EvaluationBatches(
            self._dataset.validation, size, batch_size=batch_size or images_per_batch(*size), limit=self._images
        )
        return self._told(batches, len(batches), what)

    def fp32(self, module: GraphModule, size: Size) -> Quality:
        """MIoU as trained.

        Raises:
            SearchError: Its outputs are not finite.
        """
        try:
            return module_quality(module, self.batches(size, "scoring fp32"), len(self._dataset.classes))
        except FloatingPointError as error:
            raise SearchError(f"the trained network cannot be scored: {error}; lower the learning rate") from error

    def emulated(self, module: GraphModule, size: Size, wanted: Sequence[str]) -> tuple[PrecisionQuality, ...]:
        """Every precision but fp32 that a target can have, with the mIoU there if it is wanted.

        Args:
            module: The trained network, for images of `size`.
            size: Height and width.
            wanted: Names of precisions.
        """
        return tuple(
            self._at_precision(module, size, precision)
            if precision in wanted
            else PrecisionQuality(precision, None, f"not evaluated; --precision {precision} does")
            for precision in PRECISIONS
            if precision != FP32
        )

    def _at_precision(self, module: GraphModule, size: Size, precision: str) -> PrecisionQuality:
        emulated = Emulated(module, self._format(module, size, precision))
        batches = self.batches(size, f"scoring {precision}")
        try:
            with torch.inference_mode():
                quality = segmentation_quality(emulated, batches, len(self._dataset.classes))
        except FloatingPointError:
            return PrecisionQuality(precision, None, "emulated; some outputs are not finite at this precision")
        return PrecisionQuality(precision, quality, "emulated")

    def _format(self, module: GraphModule, size: Size, precision: str) -> NumberFormat:
        if precision in HALF_FORMATS:
            return HALF_FORMATS[precision]
        images = images_per_batch(*size, least=2)
        batches = fixed_batches(self._dataset.training, size, images, max(1, CALIBRATION_IMAGES // images))
        return calibrated_int8(module, self._told(batches, len(batches), f"calibrating {precision}"))

    def _told(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        self._progress.phase(what, total)
        for item in items:
            yield item
            self._progress.step()
