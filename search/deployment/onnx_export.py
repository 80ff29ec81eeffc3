"""The ONNX file of a trained network."""

from __future__ import annotations

from pathlib import Path

from hyctas.architecture import Architecture
from hyctas.lowering import lower
from hyctas.onnx_form import to_onnx_bytes
from hyctas.torch_form import GraphModule, to_numpy
from search.atomic import write_atomically


def trained_onnx(module: GraphModule, path: Path, *, architecture: Architecture, fold_batch_norm: bool = True) -> None:
    """Write a network as it is deployed, with the weights that it was trained to.

    Args:
        module: The trained network, at any input size, with or without auxiliary heads.
        path: Where to write; a file there is replaced.
        architecture: Which network it is; its input size, batch and output are those of the file.
        fold_batch_norm: Fold batch norms and scales into the convolutions before them.

    Raises:
        GraphError: The weights are not those of `architecture`.
        OSError: The file cannot be written.
    """
    write_atomically(path, to_onnx_bytes(lower(architecture), to_numpy(module), fold_batch_norm=fold_batch_norm))
