"""MIoU of an ONNX file under ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch import Tensor

from hyctas.errors import ArtifactError, InvalidInput
from search.batches import Batch
from search.evaluation.quality import Quality, segmentation_quality

PROVIDER: Final = "CPUExecutionProvider"
Array = npt.NDArray[np.float32]


class OnnxNetwork:
    """A segmentation network under ONNX Runtime on the CPU.

    Args:
        path: The model: one input (batch, 3, height, width), and logits at any stride or class ids as output.
        threads: Threads of the session.

    Raises:
        ArtifactError: The file is missing, or no model that ONNX Runtime can run.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        try:
            self._session: Any = ort.InferenceSession(path, _options(threads), providers=[PROVIDER])
        except Exception as error:  # ONNX Runtime's exceptions have no common class
            raise ArtifactError(f"{path} is not a model that ONNX Runtime can run: {error}") from error
        (given,) = self._session.get_inputs()
        self._name: str = given.name
        self.input_shape: tuple[int, ...] = tuple(given.shape)

    def predict(self, images: Tensor) -> Tensor:
        """What the network makes of `images`, however many; they are run in batches of the model's size.

        Raises:
            InvalidInput: They are not of the model's size.
        """
        batch, *size = self.input_shape
        if list(images.shape[1:]) != size:
            raise InvalidInput("images", tuple(images.shape[1:]), f"{tuple(size)}, which the model was written for")
        given = images.cpu().numpy()
        outputs = [self._run(given[start : start + batch]) for start in range(0, len(given), batch)]
        return torch.from_numpy(np.concatenate(outputs))

    def _run(self, images: Array) -> npt.NDArray[np.generic]:
        """Run one batch; a smaller one is filled up with its last image."""
        missing = self.input_shape[0] - len(images)
        filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images
        (output,) = self._session.run(None, {self._name: np.ascontiguousarray(filled)})
        found: npt.NDArray[np.generic] = output[: len(images)]
        return found


def onnx_quality(path: Path, batches: Iterable[Batch], classes: int, *, threads: int = 1) -> Quality:
    """MIoU of an ONNX file under ONNX Runtime on the CPU.

    Args:
        path: The model.
        batches: Images of the model's size, in batches of any size.
        classes: How many there are.
        threads: Threads of the session.

    Raises:
        ArtifactError: The file is missing, or no model that ONNX Runtime can run.
        InvalidInput: The images are not of the model's size.
        FloatingPointError: A logit is not finite.
    """
    network = OnnxNetwork(path, threads=threads)
    return segmentation_quality(network.predict, batches, classes)


def _options(threads: int) -> ort.SessionOptions:
    """As latencies are measured: threads that do not spin, all optimisations."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return options
