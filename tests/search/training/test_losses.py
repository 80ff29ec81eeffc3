"""Losses of segmentation: which pixels count, how much, and what happens where none or all are wrong."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from search.datasets.dataset import IGNORE
from search.training.losses import SegmentationLoss, distillation_loss, hard_pixel_cross_entropy, resized_logits

CLASSES = 3
NEVER_EASY = 1 - 1e-6


def random_logits(*, height: int = 4, width: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(2, CLASSES, height, width, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def random_labels(*, height: int = 4, width: int = 6) -> Tensor:
    return torch.randint(0, CLASSES, (2, height, width), generator=torch.Generator().manual_seed(1))


def pixels(probabilities: list[float]) -> tuple[Tensor, Tensor]:
    """Logits of one row of pixels whose class 0 has these probabilities, and labels that say class 0."""
    p = torch.tensor(probabilities)
    logits = torch.stack([p.log(), (1 - p).log()])[None, :, None, :]
    return logits.requires_grad_(), torch.zeros(1, 1, len(probabilities), dtype=torch.int64)


def mean_loss(probabilities: list[float]) -> float:
    return sum(-math.log(p) for p in probabilities) / len(probabilities)


def test_all_pixels_give_the_plain_cross_entropy() -> None:
    logits, labels = random_logits(), random_labels()
    labels[0, :2] = IGNORE
    loss = hard_pixel_cross_entropy(logits, labels, hardest=1.0, mastered=0.1)
    assert loss.item() == pytest.approx(functional.cross_entropy(logits, labels, ignore_index=IGNORE).item())


def test_weighted_loss_of_all_pixels_is_the_plain_weighted_cross_entropy() -> None:
    logits, labels, weights = random_logits(), random_labels(), torch.tensor([0.2, 1.0, 5.0])
    loss = hard_pixel_cross_entropy(logits, labels, hardest=1.0, mastered=0.5, class_weights=weights)
    assert loss.item() == pytest.approx(functional.cross_entropy(logits, labels, weights).item())


def test_ignored_pixels_neither_count_nor_get_a_gradient() -> None:
    logits, labels = random_logits(), random_labels()
    labels[:, 1] = IGNORE
    loss = hard_pixel_cross_entropy(logits, labels, hardest=0.5, mastered=0.7)
    loss.backward()
    with torch.no_grad():
        changed = logits.detach().clone()
        changed[:, :, 1] += 3 * torch.randn(2, CLASSES, 6, generator=torch.Generator().manual_seed(2))
    assert hard_pixel_cross_entropy(changed, labels, hardest=0.5, mastered=0.7).item() == loss.item()
    assert logits.grad is not None
    assert not logits.grad[:, :, 1].any()
    assert logits.grad[:, :, 0].any()


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 3.0])], ids=["plain", "weighted"])
def test_batch_without_labels_has_loss_zero_and_a_gradient_of_zero(weights: Tensor | None) -> None:
    outputs = (random_logits(), random_logits(height=1, width=2))
    labels = torch.full((2, 4, 6), IGNORE)
    loss = SegmentationLoss(class_weights=weights)(outputs, labels)
    loss.backward()
    assert loss.item() == 0.0
    for output in outputs:
        assert output.grad is not None
        assert torch.equal(output.grad, torch.zeros_like(output))


def test_pixels_below_the_threshold_count_however_many_they_are() -> None:
    logits, labels = pixels([0.1, 0.3, 0.5, 0.69, 0.71, 0.9])
    loss = hard_pixel_cross_entropy(logits, labels, hardest=0.2, mastered=0.7)
    assert loss.item() == pytest.approx(mean_loss([0.1, 0.3, 0.5, 0.69]), rel=1e-5)


@pytest.mark.parametrize(("hardest", "counted"), [(0.2, [0.8]), (0.21, [0.8, 0.85]), (0.6, [0.8, 0.85, 0.9])])
def test_least_share_counts_where_all_is_mastered(hardest: float, counted: list[float]) -> None:
    logits, labels = pixels([0.99, 0.9, 0.8, 0.95, 0.85])
    loss = hard_pixel_cross_entropy(logits, labels, hardest=hardest, mastered=0.7)
    assert loss.item() == pytest.approx(mean_loss(counted), rel=1e-5)


def test_mastered_pixels_get_no_gradient() -> None:
    logits, labels = pixels([0.99, 0.2, 0.8])
    hard_pixel_cross_entropy(logits, labels, hardest=0.1, mastered=0.7).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, 0].abs().sum(0).gt(0).tolist() == [False, True, False]


def test_equally_hard_pixels_count_together() -> None:
    logits, labels = pixels([0.9, 0.9, 0.9, 0.9, 0.99])
    hard_pixel_cross_entropy(logits, labels, hardest=0.2, mastered=0.7).backward()
    assert logits.grad is not None
    shares = logits.grad[0, 0, 0]
    assert torch.equal(shares[:4], shares[:1].expand(4))
    assert shares[4] == 0


def test_one_labelled_pixel_is_enough() -> None:
    logits, labels = pixels([0.9, 0.6])
    labels[0, 0, 1] = IGNORE
    loss = hard_pixel_cross_entropy(logits, labels, hardest=0.01, mastered=0.7)
    assert loss.item() == pytest.approx(-math.log(0.9), rel=1e-5)


def test_classes_that_weigh_nothing_give_zero_not_a_division_by_it() -> None:
    logits, labels = pixels([0.5, 0.5])
    loss = hard_pixel_cross_entropy(logits, labels, hardest=0.5, mastered=0.7, class_weights=torch.tensor([0.0, 1.0]))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("weights", [None, torch.ones(CLASSES)], ids=["plain", "weighted"])
@pytest.mark.parametrize("where", [slice(None), slice(0, 1)], ids=["everywhere", "in one image"])
def test_loss_that_is_no_number_shows(weights: Tensor | None, where: slice) -> None:
    logits = random_logits().detach().clone()
    logits[where, 0] = math.nan
    loss = hard_pixel_cross_entropy(logits, random_labels(), hardest=0.2, mastered=0.7, class_weights=weights)
    assert math.isnan(loss.item())


def test_auxiliary_outputs_count_by_their_weight() -> None:
    outputs = (random_logits(), random_logits(seed=3), random_logits(seed=4))
    labels = random_labels()
    own = [SegmentationLoss()((output,), labels).item() for output in outputs]
    assert SegmentationLoss(auxiliary=0.3)(outputs, labels).item() == pytest.approx(own[0] + 0.3 * (own[1] + own[2]))
    assert SegmentationLoss(auxiliary=0.0)(outputs, labels).item() == pytest.approx(own[0])


def test_auxiliary_part_alone_is_the_rest_of_the_whole() -> None:
    loss, labels = SegmentationLoss(), random_labels()
    outputs = (random_logits(), random_logits(seed=3), random_logits(seed=4))
    rest = loss.of_auxiliary(outputs[1:], labels)
    assert loss(outputs, labels).item() == pytest.approx((loss(outputs[:1], labels) + rest).item())
    assert loss.of_auxiliary((), labels).item() == 0.0


def test_logits_of_any_stride_are_brought_to_the_labels() -> None:
    small, labels = random_logits(height=2, width=3), random_labels(height=8, width=12)
    upsampled = functional.interpolate(small, (8, 12), mode="bilinear", align_corners=False)
    loss = hard_pixel_cross_entropy(small, labels, hardest=1.0, mastered=0.7)
    assert loss.item() == pytest.approx(functional.cross_entropy(upsampled, labels).item())
    assert resized_logits(small, (2, 3)) is small


def test_low_precision_logits_are_scored_in_single_precision() -> None:
    logits, labels = random_logits(), random_labels()
    loss = SegmentationLoss()((logits.bfloat16(),), labels)
    assert loss.dtype == torch.float32
    assert loss.item() == SegmentationLoss()((logits.bfloat16().float(),), labels).item()


def test_distillation_is_least_where_student_and_teacher_agree() -> None:
    teacher, student = random_logits(), random_logits(seed=5)
    agreed, apart = distillation_loss(teacher, teacher), distillation_loss(student, teacher)
    entropy = -(teacher.softmax(1) * teacher.log_softmax(1)).sum(1).mean()
    assert agreed.item() == pytest.approx(entropy.item())
    assert apart.item() > agreed.item() + 0.1


def test_distillation_does_not_teach_the_teacher() -> None:
    teacher, student = random_logits(), random_logits(seed=5)
    distillation_loss(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.any()


def test_hard_pixels_never_give_less_than_all_of_them() -> None:
    logits, labels = random_logits(), random_labels()
    losses = [
        hard_pixel_cross_entropy(logits, labels, hardest=share, mastered=0.01).item() for share in (0.1, 0.3, 0.6, 1.0)
    ]
    assert losses == sorted(losses, reverse=True)
    everything = hard_pixel_cross_entropy(logits, labels, hardest=0.1, mastered=NEVER_EASY).item()
    assert everything == pytest.approx(losses[-1])
