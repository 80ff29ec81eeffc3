"""Losses of segmentation: cross entropy over the hardest pixels, with auxiliary heads, and distillation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from search.datasets.dataset import IGNORE


def segmentation_loss(
    outputs: Sequence[Tensor],
    labels: Tensor,
    *,
    hardest: float = 0.2,
    auxiliary: float = 0.2,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Loss of a network in its training form: that of its logits, and a share of that of each auxiliary output.

    Args:
        outputs: Logits (batch, classes, h, w) at any stride, then auxiliary ones.
        labels: Class ids or ``IGNORE`` (batch, height, width).
        hardest: Share of the pixels that count.
        auxiliary: Weight of each auxiliary output.
        class_weights: Weight of each class, (classes,).
    """
    losses = [hardest_cross_entropy(output, labels, hardest, class_weights) for output in outputs]
    return losses[0] + auxiliary * sum(losses[1:], torch.zeros_like(losses[0]))


def hardest_cross_entropy(logits: Tensor, labels: Tensor, hardest: float, class_weights: Tensor | None) -> Tensor:
    """Mean cross entropy of the `hardest` share of the labelled pixels (online hard example mining).

    Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example Mining", CVPR 2016. Logits are
    brought to the labels' size bilinearly. Where nothing is labelled the loss is 0, and still has a gradient.
    """
    upsampled = resized_logits(logits.float(), labels.shape[1:])
    losses = functional.cross_entropy(upsampled, labels, class_weights, ignore_index=IGNORE, reduction="none")
    labelled = losses[labels != IGNORE]
    if not len(labelled):
        return upsampled.sum() * 0.0
    counted = labelled if hardest >= 1 else labelled.topk(math.ceil(hardest * len(labelled)), sorted=False).values
    return counted.mean()


def distillation_loss(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean cross entropy of a network's classes against a teacher's, at the teacher's stride.

    Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019: the largest network
    teaches those that share its weights.
    """
    expected = functional.softmax(teacher.detach().float(), 1)
    return -(expected * functional.log_softmax(logits.float(), 1)).sum(1).mean()


def resized_logits(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Logits at another (height, width), bilinearly with half-pixel centres."""
    if tuple(logits.shape[2:]) == tuple(size):
        return logits
    return functional.interpolate(logits, tuple(size), mode="bilinear", align_corners=False)
