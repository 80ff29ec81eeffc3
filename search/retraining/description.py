"""What came of a retraining, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from search.resampling import Size
from search.retraining.plan import SUMMARY
from search.retraining.scoring import PrecisionQuality
from search.retraining.summary import PredictedLatency, Retrained


def described(found: Retrained) -> str:
    """A few lines: mIoU with the precision and the size that it is of, classes, ONNX, latency, files."""
    return "\n".join(_lines(found))


def _lines(found: Retrained) -> Iterator[str]:
    plan = found.plan
    where = f"at {_size(plan.trained_size)} on {found.images} validation images of {plan.dataset.name}"
    yield f"network {plan.architecture.key[:12]}, mIoU {where}:"
    for scores in found.precisions:
        yield f"  {scores.precision:<5} {_miou(scores)}"
    yield "IoU of classes (fp32): " + ", ".join(_classes(found))
    onnx = found.onnx
    yield (
        f"ONNX model for {_size(onnx.size)}, fp32: mIoU {onnx.miou:.4f} under ONNX Runtime, "
        f"{onnx.torch_miou:.4f} under torch"
    )
    if onnx.size != plan.trained_size:
        yield (
            f"note: it was trained at {_size(plan.trained_size)} and is deployed at {_size(onnx.size)}; "
            "the mIoU of the deployed network is that of the ONNX model"
        )
    if found.latency is not None:
        yield _latency(found, found.latency)
    yield f"everything is in {plan.out}; the numbers are in {plan.out / SUMMARY}"


def _latency(found: Retrained, latency: PredictedLatency) -> str:
    p, scores = latency.prediction, found.at(latency.precision)
    miou = "unknown" if scores.quality is None else f"{scores.quality.miou:.4f}"
    return (
        f"predicted on {latency.target}: {1e3 * p.latency_s:.3f} ms ({1e3 * p.low_s:.3f} to {1e3 * p.high_s:.3f} at "
        f"{p.coverage:.0%}), {p.tier}; mIoU at its precision, {latency.precision}, and "
        f"{_size(found.plan.trained_size)}: {miou} ({scores.note})"
    )


def _classes(found: Retrained) -> Iterator[str]:
    for label, iou in zip(found.plan.dataset.classes, found.quality.class_iou, strict=True):
        yield f"{label.name} {'does not occur' if math.isnan(iou) else f'{iou:.3f}'}"


def _miou(scores: PrecisionQuality) -> str:
    return scores.note if scores.quality is None else f"{scores.quality.miou:.4f} ({scores.note})"


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
