"""Training a chosen network, and everything that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Protocol

from hyctas.architecture_json import to_json
from hyctas.errors import SearchError
from hyctas.torch_form import GraphModule
from search.atomic import write_atomically
from search.deployment.onnx_export import trained_onnx
from search.evaluation.quality import Quality
from search.normalisation import DEVIATION, MEAN
from search.report.network_drawing import network_svg
from search.retraining.plan import ARCHITECTURE, DRAWING, ONNX, SUMMARY, RetrainingPlan
from search.retraining.scoring import Scoring, ScoringProgress
from search.retraining.summary import OnnxScores, PredictedLatency, Retrained, summary_json
from search.training.network_training import deployed, train_network
from search.training.ranks import Rank
from search.training.trainer import TrainingProgress

UNCHECKED_ONNX: Final = "unchecked.onnx"
TOLERANCE: Final = 1e-3
"""Largest difference of mIoU between torch and ONNX Runtime that summing in another order explains."""


class RetrainingProgress(TrainingProgress, ScoringProgress, Protocol):
    """Told how everything goes on."""


def retrain(
    plan: RetrainingPlan, *, rank: Rank, progress: RetrainingProgress, latency: PredictedLatency | None = None
) -> Retrained:
    """Train a network from wherever its folder's checkpoint stands, score it, and write everything into the folder.

    Args:
        plan: What to do.
        rank: On which device it trains; it is scored on the CPU.
        progress: Told how it goes on.
        latency: What a server says of it.

    Raises:
        CheckpointMismatch: The folder holds a checkpoint of something else.
        TrainingDiverged: A loss is not finite.
        SearchError: The mIoU under ONNX Runtime is not that of torch.
        OSError: The disk is full.
    """
    supernet = None if plan.supernet is None else plan.supernet.supernet
    module = train_network(plan.job, rank=rank, progress=progress, supernet=supernet)
    _write_json(plan, ARCHITECTURE, to_json(plan.architecture))
    write_atomically(plan.out / DRAWING, network_svg(plan.architecture).encode())
    scoring = Scoring(plan.dataset, plan.images, progress)
    trained_form = deployed(plan.sized(plan.trained_size), module)
    quality = scoring.fp32(trained_form, plan.trained_size)
    onnx = _exported(plan, module, scoring, quality)
    others = scoring.emulated(trained_form, plan.trained_size, plan.precisions)
    found = Retrained(plan, scoring.images, quality, others, onnx, latency)
    _write_json(plan, SUMMARY, summary_json(found))
    return found


def _exported(plan: RetrainingPlan, module: GraphModule, scoring: Scoring, quality: Quality) -> OnnxScores:
    """Write the ONNX model, if it is worth under ONNX Runtime what the network is worth under torch.

    It has the size of deployment, so that is what both are scored at; `quality` is at the size of training.
    """
    size = plan.deployed_size
    if size != plan.trained_size:
        quality = scoring.fp32(module, size)
    unchecked = plan.out / UNCHECKED_ONNX
    trained_onnx(module, unchecked, architecture=plan.architecture, facts=_facts(plan))
    found = scoring.onnx(unchecked, size)
    check_agreement(quality.miou, found.miou, unchecked)
    unchecked.replace(plan.out / ONNX)
    return OnnxScores(found.miou, quality.miou, size)


def check_agreement(torch_miou: float, onnx_miou: float, model: Path) -> None:
    """Raise unless an ONNX model is worth what the network is worth that it was written from.

    Raises:
        SearchError: They differ by more than :data:`TOLERANCE`.
    """
    if not abs(torch_miou - onnx_miou) <= TOLERANCE:
        raise SearchError(
            f"the mIoU of {model} under ONNX Runtime is {onnx_miou:.4f} and torch's is {torch_miou:.4f}; they differ "
            f"by more than {TOLERANCE:g}, so it is not the network that was trained. Try another version of onnxruntime"
        )


def _facts(plan: RetrainingPlan) -> dict[str, str]:
    """What a user of the ONNX model needs to know: classes by id, and how colours (0 to 1) are normalised, as JSON."""
    return {
        "architecture": plan.architecture.key,
        "classes": json.dumps([label.name for label in plan.dataset.classes]),
        "mean": json.dumps(MEAN),
        "deviation": json.dumps(DEVIATION),
    }


def _write_json(plan: RetrainingPlan, name: str, document: dict[str, Any]) -> None:
    write_atomically(plan.out / name, f"{json.dumps(document, indent=2, allow_nan=False)}\n".encode())
