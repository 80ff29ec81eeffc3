"""What is retrained, and how; wrong input is found here, before anything is trained."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hyctas.architecture import Architecture
from hyctas.errors import InvalidArchitecture, InvalidInput
from hyctas.target import PRECISIONS
from search.datasets.dataset import Dataset
from search.resampling import Size
from search.supernet.sizes import resized, with_logits
from search.training.network_training import NetworkJob
from search.training.settings import TrainingSettings
from search.training.supernet_training import TrainedSupernet

FP32: Final = "fp32"
MOST_WARMUP_STEPS: Final = 1000
"""Of the published training (arXiv 2403.10413); shorter trainings warm up for a tenth of their steps."""
WEIGHT_DECAY: Final = 1e-4

ARCHITECTURE: Final = "architecture.json"
DRAWING: Final = "network.svg"
ONNX: Final = "network.onnx"
SUMMARY: Final = "summary.json"


@dataclass(frozen=True, slots=True)
class RetrainingPlan:
    """A network to train, score and write.

    Attributes:
        architecture: The network as it is deployed, one image at a time.
        dataset: What it learns from and is scored on.
        training: How.
        out: Folder for everything that comes of it.
        supernet: Whose slices it starts from; None from scratch.
        precisions: Names of precisions to score it at, besides fp32.
        images: Validation images, spread evenly; None takes all.

    Raises:
        InvalidInput: Something does not go together; says what.
    """

    architecture: Architecture
    dataset: Dataset
    training: TrainingSettings
    out: Path
    supernet: TrainedSupernet | None = None
    precisions: tuple[str, ...] = ()
    images: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would fail only after the training."""
        classes = len(self.dataset.classes)
        if self.architecture.classes != classes:
            raise InvalidArchitecture(
                "$.classes", self.architecture.classes, f"{classes}, the classes of the data set {self.dataset.name}"
            )
        if self.images is not None and self.images < 1:
            raise InvalidInput("images", self.images, "at least 1")
        for precision in self.precisions:
            if precision not in PRECISIONS:
                raise InvalidInput("precision", precision, f"one of {', '.join(PRECISIONS)}")
        if self.supernet is not None:
            self.supernet.supernet.check(self.job.trained_form)

    @property
    def job(self) -> NetworkJob:
        """The training."""
        start = "" if self.supernet is None else self.supernet.sha256
        return NetworkJob(self.architecture, self.dataset, self.training, self.out, start)

    @property
    def trained_size(self) -> Size:
        """Height and width of the images that it is trained on, and scored on."""
        return self.training.height, self.training.width

    @property
    def deployed_size(self) -> Size:
        """Height and width of the images that its ONNX model takes."""
        return self.architecture.input.height, self.architecture.input.width

    def sized(self, size: Size) -> Architecture:
        """The network as it is scored on images of a height and width."""
        return resized(with_logits(self.architecture), height=size[0], width=size[1])


def warmup_steps(steps: int) -> int:
    """Steps over which the learning rate rises, unless told otherwise."""
    return min(MOST_WARMUP_STEPS, steps // 10)


def usual_learning_rate(optimiser: str) -> float:
    """Learning rate after warming up, unless told otherwise: the published one of SGD, and a usual one of AdamW."""
    return 0.002 if optimiser == "adamw" else 0.05


def check_writable(folder: Path, names: Sequence[str] = (ARCHITECTURE, DRAWING, ONNX, SUMMARY)) -> None:
    """Make `folder`, and raise unless files of these names can be written into it.

    Raises:
        InvalidInput: They cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidInput("out", str(folder), f"a folder that can be written to ({error.strerror})") from error
    for name in names:
        if (folder / name).is_dir():
            raise InvalidInput("out", str(folder), f"a folder where {name} can be written; it is a folder there")
