"""Trained networks as ONNX models, and their mIoU under ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnxruntime as ort
import torch
from onnx import helper

from hyctas.architecture import Architecture, Output
from hyctas.errors import SearchError
from hyctas.lowering import lower
from hyctas.onnx_form import to_onnx
from hyctas.weights import Array
from search.batches import Batch
from search.datasets.dataset import ClassLabel
from search.evaluation.quality import Quality, classified
from search.miou import Confusion
from search.normalisation import DEVIATION, MEAN

TOLERANCE = 1e-3
"""Largest difference of mIoU between torch and ONNX Runtime that summing in another order explains."""
PROVIDER = "CPUExecutionProvider"


def trained_onnx(architecture: Architecture, weights: Mapping[str, Array], classes: Sequence[ClassLabel]) -> bytes:
    """The ONNX model of a trained network, of the architecture's input size and output.

    Its metadata say, as JSON, what a user of the file needs to know: the classes in the order of their ids, and the
    mean and deviation (of colours from 0 to 1) that images are normalised by.

    Args:
        architecture: The network as it is deployed.
        weights: A float32 array for each parameter and running statistic.
        classes: What it tells apart.
    """
    model = to_onnx(lower(architecture), weights)
    facts = {
        "architecture": architecture.key,
        "classes": json.dumps([label.name for label in classes]),
        "mean": json.dumps(MEAN),
        "deviation": json.dumps(DEVIATION),
    }
    helper.set_model_props(model, facts)
    data: bytes = model.SerializeToString()
    return data


def onnx_quality(model: bytes, batches: Iterable[Batch], classes: int, *, output: Output) -> Quality:
    """MIoU of an ONNX model under ONNX Runtime, at the size of the labels.

    Args:
        model: What :func:`trained_onnx` gave.
        batches: Images and labels, as many images at a time as the model takes.
        classes: How many there are.
        output: Where the model ends.

    Raises:
        SearchError: A logit is not finite.
        DatasetError: No pixel is labelled.
    """
    session = ort.InferenceSession(model, _options(), providers=[PROVIDER])
    name = session.get_inputs()[0].name
    confusion = Confusion(classes)
    for batch in batches:
        found = session.run(None, {name: batch.images.numpy()})[0]
        if not np.isfinite(found).all():
            raise SearchError("the network's outputs under ONNX Runtime are not all finite; train it again")
        size = tuple(batch.labels.shape[1:])
        predicted = found[:, 0] if output == "argmax" else classified(torch.from_numpy(found), size).numpy()
        confusion.add(batch.labels, predicted)
    return Quality(confusion.miou, tuple(map(float, confusion.iou)))


def check_agreement(torch_miou: float, onnx_miou: float) -> None:
    """Raise unless two values of mIoU of the same network are equal to :data:`TOLERANCE`.

    Raises:
        SearchError: They are not.
    """
    if not abs(torch_miou - onnx_miou) <= TOLERANCE:
        raise SearchError(
            f"the mIoU under ONNX Runtime {ort.__version__} is {onnx_miou:.4f} and torch's is {torch_miou:.4f}, which "
            f"differ by more than {TOLERANCE:g}; the ONNX model is not written, since it is not the network that was "
            "trained. Try another version of onnxruntime"
        )


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options
