"""MIoU of a trained network at each precision that was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import torch

from hyctas.errors import SearchError
from hyctas.target import PRECISIONS
from hyctas.torch_form import GraphModule
from search.batches import Batch, EvaluationBatches
from search.datasets.dataset import Dataset, Split
from search.deployment.onnx_quality import onnx_quality
from search.deployment.precision import precision_quality
from search.evaluation.layout import images_per_batch
from search.evaluation.quality import Quality, module_quality
from search.resampling import Size
from search.retraining.plan import FP32

INT8: Final = "int8"
CALIBRATION_IMAGES: Final = 64
"""Training images whose largest values int8 has to hold."""


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

    def batches(self, size: Size, what: str) -> Iterator[Batch]:
        """The validation images, with progress."""
        batches = _unchanged(self._dataset.validation, size, self._images)
        self._progress.phase(what, len(batches))
        for batch in batches:
            yield batch
            self._progress.step()

    def fp32(self, module: GraphModule, size: Size) -> Quality:
        """MIoU as trained.

        Raises:
            SearchError: Its outputs are not finite.
        """
        try:
            return module_quality(module, self.batches(size, "scoring fp32"), len(self._dataset.classes))
        except FloatingPointError as error:
            raise SearchError(f"the trained network cannot be scored: {error}; lower the learning rate") from error

    def onnx(self, model: Path, size: Size) -> Quality:
        """MIoU of an ONNX model of `size` under ONNX Runtime.

        Raises:
            SearchError: Its outputs are not finite.
        """
        batches, classes = self.batches(size, "scoring ONNX"), len(self._dataset.classes)
        try:
            return onnx_quality(model, batches, classes, threads=torch.get_num_threads())
        except FloatingPointError as error:
            raise SearchError(f"{model} cannot be scored under ONNX Runtime: {error}") from error

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
        batches = self.batches(size, f"scoring {precision}")
        calibration = _unchanged(self._dataset.training, size, CALIBRATION_IMAGES) if precision == INT8 else ()
        try:
            found = precision_quality(module, precision, batches, len(self._dataset.classes), calibration=calibration)
        except FloatingPointError:
            return PrecisionQuality(precision, None, "emulated; some outputs are not finite at this precision")
        return PrecisionQuality(precision, found.quality, "emulated")


def _unchanged(split: Split, size: Size, limit: int | None) -> EvaluationBatches:
    """Images as they are, spread evenly over a split; as many at a time as are fast."""
    return EvaluationBatches(split, size, batch_size=images_per_batch(*size), limit=limit)
