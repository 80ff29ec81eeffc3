"""The loss that training minimises, for a data set."""

from __future__ import annotations

import torch

from search.class_weights import class_weights
from search.datasets.dataset import Dataset
from search.training.losses import SegmentationLoss
from search.training.settings import TrainingSettings


def segmentation_loss(dataset: Dataset, training: TrainingSettings, device: torch.device) -> SegmentationLoss:
    """The loss as the settings want it, with weights from the training labels if they want those.

    Raises:
        DatasetError: A mask cannot be used.
    """
    weights = None
    if training.class_weights:
        weights = torch.from_numpy(class_weights(dataset.training, len(dataset.classes))).to(device)
    return SegmentationLoss(training.hardest, training.mastered, training.auxiliary, weights)
