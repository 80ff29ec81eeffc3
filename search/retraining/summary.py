"""What came of a retraining, as values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hyctas.costs import costs
from hyctas.lowering import lower
from hyctas.prediction import Prediction
from hyctas.prediction_json import prediction_to_json
from hyctas.target import parse_target
from search.evaluation.quality import Quality
from search.normalisation import DEVIATION, MEAN
from search.resampling import Size
from search.retraining.plan import ARCHITECTURE, DRAWING, FP32, ONNX, RetrainingPlan
from search.retraining.scoring import PrecisionQuality


@dataclass(frozen=True, slots=True)
class OnnxScores:
    """The ONNX model of a trained network, which computes in fp32, against torch on the same images.

    Attributes:
        miou: Under ONNX Runtime.
        torch_miou: Under torch.
        size: Height and width of its images, which are those of deployment.
    """

    miou: float
    torch_miou: float
    size: Size


@dataclass(frozen=True, slots=True)
class PredictedLatency:
    """What a server says of the network.

    Attributes:
        target: Full name.
        prediction: Its answer.
    """

    target: str
    prediction: Prediction

    @property
    def precision(self) -> str:
        """Precision that the latency is of."""
        return parse_target(self.target).precision


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of a retraining.

    Attributes:
        plan: What was asked for.
        images: Validation images that it was scored on.
        quality: As trained, in fp32, at the trained size.
        others: At every other precision that a target can have, at the same size.
        onnx: The ONNX model's.
        latency: What a server says of it, or None if none was asked.
    """

    plan: RetrainingPlan
    images: int
    quality: Quality
    others: tuple[PrecisionQuality, ...]
    onnx: OnnxScores
    latency: PredictedLatency | None = None

    @property
    def precisions(self) -> tuple[PrecisionQuality, ...]:
        """Its mIoU at every precision, fp32 first."""
        return (PrecisionQuality(FP32, self.quality, "as trained"), *self.others)

    def at(self, precision: str) -> PrecisionQuality:
        """Its mIoU at a precision."""
        return next(scores for scores in self.precisions if scores.precision == precision)


def summary_json(found: Retrained) -> dict[str, Any]:
    """Everything as a JSON object; null stands for what is unknown, such as the IoU of a class that never occurs."""
    plan = found.plan
    total = costs(lower(plan.architecture))
    classes = [label.name for label in plan.dataset.classes]
    precisions = [_precision_json(scores, classes) for scores in found.precisions]
    return {
        "key": plan.architecture.key,
        "miou": precisions[0]["miou"],
        "class_iou": precisions[0]["class_iou"],
        "scored": {"precision": FP32, **_size_json(plan.trained_size), "images": found.images},
        "precisions": precisions,
        "onnx": {
            "file": ONNX,
            "precision": FP32,
            "miou": found.onnx.miou,
            "torch_miou": found.onnx.torch_miou,
            **_size_json(found.onnx.size),
            "output": plan.architecture.output,
        },
        "latency": None if found.latency is None else _latency_json(found, found.latency),
        "parameters": total.parameters,
        "macs": total.macs,
        "conv_macs": total.conv_macs,
        "input": {"batch": 1, **_size_json(plan.deployed_size)},
        "normalisation": {"mean": MEAN, "deviation": DEVIATION},
        "dataset": plan.dataset.name,
        "dataset_digest": plan.dataset.digest,
        "start": "scratch" if plan.supernet is None else "supernet",
        "supernet_sha256": None if plan.supernet is None else plan.supernet.sha256,
        "steps": plan.training.steps,
        "seed": plan.training.seed,
        "training": asdict(plan.training),
        "files": [ARCHITECTURE, DRAWING, ONNX],
    }


def _precision_json(scores: PrecisionQuality, classes: Sequence[str]) -> dict[str, Any]:
    quality = scores.quality
    iou = None if quality is None else dict(zip(classes, map(_finite, quality.class_iou), strict=True))
    return {
        "precision": scores.precision,
        "miou": None if quality is None else quality.miou,
        "emulated": scores.emulated,
        "note": scores.note,
        "class_iou": iou,
    }


def _latency_json(found: Retrained, latency: PredictedLatency) -> Mapping[str, Any]:
    """The prediction, which is of the deployed size, beside the mIoU at its precision, which is of the trained one."""
    scores = found.at(latency.precision)
    return {
        "target": latency.target,
        "precision": latency.precision,
        "miou": None if scores.quality is None else scores.quality.miou,
        "miou_note": scores.note,
        "miou_size": _size_json(found.plan.trained_size),
        **prediction_to_json(found.plan.architecture.key, latency.prediction),
    }


def _size_json(size: Size) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
