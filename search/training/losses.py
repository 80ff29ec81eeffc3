"""Losses of segmentation: cross entropy over the hardest pixels, with auxiliary heads, and distillation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from search.datasets.dataset import IGNORE


@dataclass(frozen=True, slots=True)
class SegmentationLoss:
    """Loss of a network in its training form: that of its logits, and a share of that of each auxiliary output.

    Attributes:
        hardest: Least share of the pixels that count, the hardest ones.
        mastered: Probability of the true class from which on a pixel need not count.
        auxiliary: Weight of each auxiliary output.
        class_weights: Weight of each class, (classes,); all weigh the same unless given.
    """

    hardest: float = 0.2
    mastered: float = 0.7
    auxiliary: float = 0.2
    class_weights: Tensor | None = field(default=None, compare=False)

    def __call__(self, outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            outputs: Logits (batch, classes, h, w) at any stride, then auxiliary ones.
            labels: Class ids or ``IGNORE`` (batch, height, width).
        """
        return self._of(outputs[0], labels) + self.of_auxiliary(outputs[1:], labels)

    def of_auxiliary(self, outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        """The part of auxiliary outputs, however many there are."""
        nothing = torch.zeros((), device=labels.device)
        return self.auxiliary * sum((self._of(output, labels) for output in outputs), nothing)

    def _of(self, logits: Tensor, labels: Tensor) -> Tensor:
        return hard_pixel_cross_entropy(
            logits, labels, hardest=self.hardest, mastered=self.mastered, class_weights=self.class_weights
        )


def hard_pixel_cross_entropy(
    logits: Tensor, labels: Tensor, *, hardest: float, mastered: float, class_weights: Tensor | None = None
) -> Tensor:
    """Mean cross entropy of the pixels that are not mastered yet (online hard example mining).

    Those are the pixels whose true class has less than the probability `mastered`, and at least the `hardest` share of
    the labelled ones. So at first all pixels count: the hardest share alone never shows a network its common classes.
    Pixels are chosen by their unweighted loss; one whose loss is not a number counts, so that it shows. Where nothing
    is labelled the loss is 0, and still has a gradient.

    Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example Mining", CVPR 2016; threshold
    and least share as in FasterSeg's supernet (arXiv 1912.10917).
    """
    upsampled = resized_logits(logits.float(), labels.shape[1:])
    losses = functional.cross_entropy(upsampled, labels, ignore_index=IGNORE, reduction="none")
    known = labels != IGNORE
    labelled = losses[known]
    if not len(labelled):
        return upsampled.sum() * 0.0
    counted = ~(labelled.detach() < _least_loss(labelled.detach(), hardest, mastered))
    if class_weights is None:
        return labelled[counted].mean()
    weights = class_weights[labels[known][counted]]
    return (labelled[counted] * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


def _least_loss(losses: Tensor, hardest: float, mastered: float) -> float:
    """The loss from which on a pixel counts."""
    if hardest >= 1.0:
        return -math.inf
    count = math.ceil(hardest * len(losses))
    return min(-math.log(mastered), float(losses.kthvalue(len(losses) - count + 1).values))


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
